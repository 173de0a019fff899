//! Rows of a table of `conf.db`.

use crate::{commands, compare::OwnValues, switch, types::ListParams};
use mcp_core::{Answer, Db, Node, ReadError, Row as AnswerRow, ToolError, Where};
use ovn_model::{
    records::{NoRecords, Query, Records, Source},
    switch::Record,
};
use ovsdb::{Row, Rows, Select, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// The database of a node's switch.
struct Switch<'a>(&'a Node<'a>);

impl Source for Switch<'_> {
    type Failed = ReadError;

    async fn rows(&self, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
        self.0.rows(Db::OpenVSwitch, selects).await
    }
}

/// Answers for one node.
pub(crate) async fn list(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
    let query = Query {
        table: params.table.clone(),
        record: params.record.clone(),
        of: params.of.clone(),
        conditions: params.conditions.iter().map(Where::parts).collect(),
        columns: params.columns.clone(),
        compared: node.is_compared(),
    };
    let schema = match node.schema(Db::OpenVSwitch).await {
        Err(absent @ ReadError::NotCollected { .. }) => return recorded(node, params, absent).await,
        schema => schema?,
    };
    let records = query.ask(&Switch(node), &schema).await.map_err(tool_error)?;
    let memory = Memory::read(node, &records).await;
    let own = OwnValues::read(node).await;
    let row = |row: &Row| {
        let text = records.text(row, |row, column| memory.shown(row, column, &records.columns));
        match node.is_compared() {
            true => {
                let mut identity = OwnValues::identity(row, &records.labels, &records.owners);
                identity.fields.retain(|field| records.is_asked(&field.name));
                AnswerRow::with(text, identity)
            }
            false => AnswerRow::line(text),
        }
    };
    let mut notes: Vec<String> =
        records.rows.problems().map(|(uuid, problem)| format!("{uuid}: {problem}")).collect();
    notes.extend(memory.notes(&query, !records.rows.rows.is_empty()));
    Ok(Answer {
        rows: records.rows.rows.iter().map(row).collect(),
        notes,
        facts: own.facts(),
        if_empty: records.if_empty.clone(),
    })
}

/// What `ovs-vsctl list` printed when the node's report was made.
async fn recorded(node: &Node<'_>, params: &ListParams, absent: ReadError) -> Result<Answer, ToolError> {
    let table = ["Interface", "Bridge", "Open_vSwitch", "Manager"];
    let table = table.into_iter().find(|table| table.eq_ignore_ascii_case(&params.table));
    let list = table.and_then(commands::recorded_list);
    let text = match list {
        Some(list) => switch::text(node, vec![list]).await.map_err(|_| absent)?,
        None => return Err(absent.into()),
    };
    if params.of.is_some() || !params.conditions.is_empty() || node.is_compared() {
        return Err(ToolError::bad(
            "conf.db was not collected: there is only what ovs-vsctl list printed, without `of`, `where` and comparison",
            "Name one node and leave them out; record, columns and grep work.",
        ));
    }
    let records = Record::all(&text);
    let id = |record: &Record<'_>| {
        record
            .map("external_ids")
            .into_iter()
            .find(|(key, _)| *key == "iface-id")
            .map_or("", |(_, id)| id)
            .to_owned()
    };
    let wanted = |record: &&Record<'_>| {
        params.record.as_ref().is_none_or(|wanted| {
            let name = record.get("name").unwrap_or_default();
            let uuid = record.get("_uuid").unwrap_or_default();
            wanted == name
                || wanted.replacen('/', "_", 1) == id(record)
                || (wanted.len() >= 4 && uuid.starts_with(wanted))
        })
    };
    let shown = |column: &str, value: &str| match params.columns.is_empty() {
        true => !matches!(value, "[]" | "{}" | "\"\""),
        false => column == "_uuid" || params.columns.iter().any(|it| it == column),
    };
    let text = |record: &Record<'_>| {
        let columns = record.0.iter().filter(|(column, value)| shown(column, value));
        columns.map(|(column, value)| format!("{column:<20}: {value}\n")).collect::<String>()
    };
    let rows: Vec<AnswerRow> =
        records.iter().filter(wanted).map(|record| AnswerRow::line(text(record))).collect();
    if let (Some(record), true) = (&params.record, rows.is_empty()) {
        let known = records.iter().filter_map(|record| record.get("name"));
        return Err(ToolError::not_found(format!("row of {}", params.table), record, known));
    }
    Ok(Answer {
        rows,
        if_empty: "ovs-vsctl list printed nothing".into(),
        notes: vec!["conf.db was not collected: this is what ovs-vsctl list printed".into()],
        facts: Vec::new(),
    })
}

fn tool_error(none: NoRecords<ReadError>) -> ToolError {
    match none {
        NoRecords::Unknown { kind, name, known } => ToolError::not_found(kind, name, known),
        NoRecords::Bad { problem, hint } => ToolError::bad(problem, hint),
        NoRecords::Read(e) => e.into(),
    }
}

/// The columns that a database server keeps in memory and writes into no file: statistics, states of links, MTUs in use.
/// Of a node that was collected, the report may have what `ovs-vsctl list` printed of them.
#[derive(Default)]
struct Memory {
    columns: BTreeSet<String>,
    printed: Option<BTreeMap<(Uuid, String), String>>,
}

impl Memory {
    async fn read(node: &Node<'_>, records: &Records) -> Self {
        if node.is_live() {
            return Self::default();
        }
        let table = &records.rows.table;
        // A recording of a live server has values in them.
        let unset = |name: &str, default: &ovsdb::Datum| {
            records.rows.rows.iter().all(|row| row.get(name).is_none_or(|datum| datum == default))
        };
        let columns: BTreeSet<String> = table
            .columns
            .iter()
            .filter(|column| column.ephemeral && unset(&column.name, &column.ty.default_datum()))
            .map(|column| column.name.clone())
            .collect();
        let printed = match commands::recorded_list(&table.name).filter(|_| !columns.is_empty()) {
            Some(list) => switch::text(node, vec![list]).await.ok().map(|text| by_row(&text)),
            None => None,
        };
        Self { columns, printed }
    }

    /// What is shown in place of the value, which is a default and not what the server had.
    fn shown(&self, row: &Row, column: &str, asked: &[String]) -> Option<String> {
        if !self.columns.contains(column) {
            return None;
        }
        match &self.printed {
            Some(printed) => {
                let value = printed.get(&(row.uuid, column.to_owned()))?;
                let empty = matches!(value.as_str(), "{}" | "[]" | "\"\"");
                (!empty || !asked.is_empty()).then(|| value.clone())
            }
            None => (!asked.is_empty()).then(|| "not in the file: the server keeps it in memory".to_owned()),
        }
    }

    fn notes(&self, query: &Query, any: bool) -> Option<String> {
        let decided: Vec<&str> =
            query.condition_columns().filter(|column| self.columns.contains(*column)).collect();
        match (self.columns.is_empty(), self.printed.is_some(), decided.as_slice()) {
            (true, ..) => None,
            (false, true, []) => None,
            (false, false, []) if !any || !query.columns.is_empty() => None,
            (false, false, []) => Some(format!(
                "not in the file, since the server keeps them in memory only: {}",
                self.columns.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            )),
            (false, _, decided) => Some(format!(
                "conditions on {} compare defaults: the server keeps these columns in memory, and no file has them; use grep",
                decided.join(", ")
            )),
        }
    }
}

/// What `list` printed, by row and column.
fn by_row(text: &str) -> BTreeMap<(Uuid, String), String> {
    let cells = |record: Record<'_>| {
        let row = record.get("_uuid").and_then(|uuid| uuid.parse().ok());
        record
            .0
            .into_iter()
            .filter_map(move |(column, value)| Some(((row?, column.to_owned()), value.to_owned())))
            .collect::<Vec<_>>()
    };
    Record::all(text).into_iter().flat_map(cells).collect()
}
