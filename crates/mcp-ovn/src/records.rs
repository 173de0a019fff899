//! The rows of a table, for the `list` tools of both databases.

use crate::{compare::OwnValues, types::ListParams};
use mcp_core::{Answer, ColumnCondition, Db, Node, ReadError, Row as AnswerRow, ToolError};
use ovn_model::records::{NoRecords, Query, Source};
use ovsdb::{Row, Rows, Select};

/// A database of a node, as the source of a query.
struct Database<'a>(&'a Node<'a>, Db);

impl Source for Database<'_> {
    type Failed = ReadError;

    async fn rows(&self, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
        self.0.rows(self.1, selects).await
    }
}

/// Lists the rows of one node.
pub(crate) async fn list(node: &Node<'_>, db: Db, params: &ListParams) -> Result<Answer, ToolError> {
    let query = Query {
        table: params.table.clone(),
        record: params.record.clone(),
        of: params.of.clone(),
        conditions: params.conditions.iter().map(ColumnCondition::parts).collect(),
        columns: params.columns.clone(),
        compared: node.is_compared(),
    };
    let schema = node.schema(db).await?;
    let records = query.ask(&Database(node, db), &schema).await.map_err(tool_error)?;
    let mut own = OwnValues::read(node).await;
    if db == Db::Sb && records.rows.table.name == "Address_Set" {
        own = own.with_address_sets(node).await;
    }
    let row = |row: &Row| {
        let text = records.text(row, |_, _| None);
        match node.is_compared() {
            true => {
                let mut identity = own.identity(row, &records.labels, &records.owners);
                identity.fields.retain(|field| records.is_asked(&field.name));
                AnswerRow::with(text, identity).asked(records.is_row_asked(row))
            }
            false => {
                let object = node.wants_objects().then(|| records.object(row, |_, _| None));
                AnswerRow { object, ..AnswerRow::line(text) }
            }
        }
    };
    Ok(Answer {
        rows: records.rows.rows.iter().map(row).collect(),
        notes: records.rows.problems().map(|(uuid, problem)| format!("{uuid}: {problem}")).collect(),
        facts: own.facts(),
        if_empty: records.if_empty.clone(),
        not_compared: records.left_out(),
        ..Answer::default()
    })
}

fn tool_error(none: NoRecords<ReadError>) -> ToolError {
    match none {
        NoRecords::Unknown { kind, name, known } => ToolError::not_found(kind, name, known),
        NoRecords::Bad { problem, hint } => ToolError::bad(problem, hint),
        NoRecords::Read(e) => e.into(),
    }
}
