//! The rows of a table of `conf.db`.

use crate::{commands, compare::OwnValues, switch, types::ListParams};
use mcp_core::{Answer, ColumnCondition, Db, Node, ReadError, Row as AnswerRow, ToolError};
use ovn_model::records::{NoRecords, Query, Records, Source};
use ovsdb::{Listing, Row, Rows, Select};
use std::collections::BTreeSet;

/// The database of a node's switch.
struct Switch<'a>(&'a Node<'a>);

impl Source for Switch<'_> {
    type Failed = ReadError;

    async fn rows(&self, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
        self.0.rows(Db::OpenVSwitch, selects).await
    }
}

/// Answers the question for one node.
pub(crate) async fn list(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
    let query = Query {
        table: params.table.clone(),
        record: params.record.clone(),
        of: params.of.clone(),
        conditions: params.conditions.iter().map(ColumnCondition::parts).collect(),
        columns: params.columns.clone(),
        compared: node.is_compared(),
    };
    match node.schema(Db::OpenVSwitch).await {
        Err(absent @ ReadError::NotCollected { .. }) => {
            let printed = Printed::read(node, &query, absent).await?;
            let records = query.ask(&printed, &printed.0.schema).await.map_err(tool_error)?;
            let mut answer = answer(node, &records, &Memory::default()).await;
            answer.notes.extend(printed.notes());
            Ok(answer)
        }
        schema => {
            let schema = schema?;
            let mut records = query.ask(&Switch(node), &schema).await.map_err(tool_error)?;
            let memory = Memory::read(node, &mut records).await;
            let mut answer = answer(node, &records, &memory).await;
            answer.notes.extend(memory.notes(&query, !records.rows.rows.is_empty()));
            Ok(answer)
        }
    }
}

async fn answer(node: &Node<'_>, records: &Records, memory: &Memory) -> Answer {
    let own = OwnValues::read(node).await;
    let row = |row: &Row| {
        let text = records.text(row, |_, column| memory.shown(column, &records.columns));
        match node.is_compared() {
            true => {
                let mut identity = own.identity(row, &records.labels, &records.owners);
                identity.fields.retain(|field| records.is_asked(&field.name));
                AnswerRow::with(text, identity).asked(records.is_row_asked(row))
            }
            false => {
                let shown = |_: &Row, column: &str| memory.shown(column, &records.columns);
                let object = node.wants_objects().then(|| records.object(row, shown));
                AnswerRow { object, ..AnswerRow::line(text) }
            }
        }
    };
    Answer {
        rows: records.rows.rows.iter().map(row).collect(),
        notes: records.rows.problems().map(|(uuid, problem)| format!("{uuid}: {problem}")).collect(),
        facts: own.facts(),
        if_empty: records.if_empty.clone(),
        not_compared: records.left_out(),
        ..Answer::default()
    }
}

/// The rows that `ovs-vsctl list` printed of a table when the report of the node was made.
struct Printed(Listing);

impl Printed {
    async fn read(node: &Node<'_>, query: &Query, absent: ReadError) -> Result<Self, ToolError> {
        let table = commands::LISTED.into_iter().find(|table| table.eq_ignore_ascii_case(&query.table));
        let listing = match table {
            Some(table) => switch::listing(node, table).await,
            None => None,
        };
        let Some(listing) = listing else {
            return Err(ToolError::bad(
                absent.to_string(),
                format!(
                    "Reports contain the output of ovs-vsctl list only for the tables {}; ovs_vsctl_show lists bridges and ports.",
                    commands::LISTED.join(", ")
                ),
            ));
        };
        if query.of.is_some() {
            return Err(ToolError::bad(
                "conf.db was not collected, and the output of ovs-vsctl list does not show which row belongs to which bridge or port",
                "Omit `of`; record, where, columns and grep still work. ovs_vsctl_show lists the ports of each bridge.",
            ));
        }
        Ok(Self(listing))
    }

    fn notes(&self) -> Vec<String> {
        let other: Vec<&str> = self.0.other.iter().map(String::as_str).collect();
        let mut notes =
            vec!["conf.db was not collected: this is the recorded output of ovs-vsctl list".to_owned()];
        notes.extend(switch::not_understood(&other));
        notes
    }
}

impl Source for Printed {
    type Failed = ReadError;

    async fn rows(&self, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
        let rows = |select: &Select| {
            let mut rows = self.0.rows.clone();
            rows.rows.retain(|row| select.table == rows.table.name && select.matches(row));
            rows
        };
        Ok(selects.iter().map(rows).collect())
    }
}

fn tool_error(none: NoRecords<ReadError>) -> ToolError {
    match none {
        NoRecords::Unknown { kind, name, known } => ToolError::not_found(kind, name, known),
        NoRecords::Bad { problem, hint } => ToolError::bad(problem, hint),
        NoRecords::Read(e) => e.into(),
    }
}

/// The columns that a database server keeps only in memory and writes to no file: statistics, link states, MTUs in
/// use. The report of a node may contain the output of `ovs-vsctl list`, which fills these columns.
#[derive(Default)]
struct Memory {
    columns: BTreeSet<String>,
    is_filled: bool,
}

impl Memory {
    async fn read(node: &Node<'_>, records: &mut Records) -> Self {
        if node.is_live() {
            return Self::default();
        }
        let table = records.rows.table.clone();
        // A recording of a live server has values in these columns.
        let unset = |name: &str, default: &ovsdb::Datum| {
            records.rows.rows.iter().all(|row| row.get(name).is_none_or(|datum| datum == default))
        };
        let columns: BTreeSet<String> = table
            .columns
            .iter()
            .filter(|column| column.ephemeral && unset(&column.name, &column.ty.default_datum()))
            .map(|column| column.name.clone())
            .collect();
        let listing = match columns.is_empty() {
            true => None,
            false => switch::listing(node, &table.name).await,
        };
        if let Some(listing) = &listing {
            records.rows.fill(&listing.rows, |column| columns.contains(&column.name));
        }
        Self { columns, is_filled: listing.is_some() }
    }

    /// Returns the text that replaces a default value, because the default is not the value that the server had.
    fn shown(&self, column: &str, asked: &[String]) -> Option<String> {
        let absent = !self.is_filled && self.columns.contains(column) && !asked.is_empty();
        absent.then(|| "not in the file: ovsdb-server keeps this column only in memory".to_owned())
    }

    fn notes(&self, query: &Query, any: bool) -> Option<String> {
        let decided: Vec<&str> =
            query.condition_columns().filter(|column| self.columns.contains(*column)).collect();
        match (self.columns.is_empty(), self.is_filled, decided.as_slice()) {
            (true, ..) => None,
            (false, true, []) => None,
            (false, false, []) if !any || !query.columns.is_empty() => None,
            (false, false, []) => Some(format!(
                "the file does not contain these columns, because ovsdb-server keeps them only in memory: {}",
                self.columns.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            )),
            (false, _, decided) => Some(format!(
                "the conditions on {} test default values, because ovsdb-server keeps these columns only in memory; use grep instead",
                decided.join(", ")
            )),
        }
    }
}
