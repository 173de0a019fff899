//! Selects on a live server: the text that `ovsdb-client query` takes, and the text that it prints.
//!
//! `query` runs a transaction and never commits it (`ovsdb-client(1)`). This module only creates `select` operations.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::decode::{self, cut};
use crate::row::Problem;
use crate::schema::{UnknownColumn, UnknownTable};
use crate::{AtomType, BaseType, ColumnType, Datum, Row, Rows, Schema, Select};

/// The reason why a reply cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The reply is not the JSON of a transaction's reply (RFC 7047 section 4.1.3).
    #[error("the reply is not the result of an OVSDB transaction: it begins with {start:?}")]
    Reply {
        /// The first characters of the reply.
        start: String,
        /// The parse error, if the reply is not JSON.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The reply has fewer results than there are selects.
    #[error("the reply has {found} results for {asked} selects")]
    Results {
        /// The number of selects.
        asked: usize,
        /// The number of results.
        found: usize,
    },
    /// The server rejected a select (RFC 7047 section 3.1, `<error>`).
    #[error("the server rejected select {} of table {table}: {error}{}", at + 1, details.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// The index of the select, starting at 0.
        at: usize,
        /// The table of the select.
        table: String,
        /// The server's name of the error.
        error: String,
        /// The server's details about the error.
        details: Option<String>,
    },
    /// The server rejected the whole transaction.
    #[error("the server rejected the transaction: {error}{}", details.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Transaction {
        /// The server's name of the error.
        error: String,
        /// The server's details about the error.
        details: Option<String>,
    },
    /// The table of a select is not in the schema.
    #[error("the selects do not match the schema")]
    Table(#[source] UnknownTable),
    /// A column of a select is not in the schema.
    #[error("the selects do not match the schema")]
    Column(#[source] UnknownColumn),
    /// The server sent a column that the schema does not have, so the schema is not the server's.
    #[error(
        "the reply has column {column} of table {table}, but schema {schema} does not: it is not the server's schema"
    )]
    SchemaMismatch {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The schema's name and version.
        schema: String,
    },
}

/// Returns the transaction with these selects, for `ovsdb-client query SOCKET TEXT`.
#[must_use]
pub fn query_json(db: &str, selects: &[Select]) -> String {
    let mut transaction = vec![Value::from(db)];
    transaction.extend(selects.iter().map(Select::to_json));
    Value::Array(transaction).to_string()
}

#[derive(Deserialize)]
struct SelectResult<'a> {
    #[serde(borrow)]
    rows: Option<Vec<&'a RawValue>>,
    error: Option<String>,
    details: Option<String>,
}

/// Returns the reply that a server would send with these rows, in the format that [`parse_reply`] reads. Recordings use
/// it.
#[must_use]
pub fn reply_json(results: &[Rows]) -> String {
    let row = |row: &Row| {
        let named =
            row.table.columns.iter().filter_map(|c| Some((c.name.clone(), row.get(&c.name)?.to_json())));
        let uuid = ("_uuid".to_owned(), json!(["uuid", row.uuid.to_string()]));
        Value::Object(std::iter::once(uuid).chain(named).collect())
    };
    let answer = |rows: &Rows| json!({ "rows": rows.rows.iter().map(row).collect::<Vec<_>>() });
    Value::Array(results.iter().map(answer).collect()).to_string()
}

/// Parses the output of `ovsdb-client query` into the rows of each select. `schema` must be the server's schema
/// (`ovsdb-client get-schema`).
///
/// # Errors
/// The text is not a reply, the server rejected a select, or the schema is not the server's.
pub fn parse_reply(
    schema: &Schema,
    selects: &[Select],
    reply: impl AsRef<[u8]>,
) -> Result<Vec<Rows>, WireError> {
    let reply = reply.as_ref();
    let not_a_reply = |source| {
        let start = cut(&String::from_utf8_lossy(reply.get(..400).unwrap_or(reply)));
        WireError::Reply { start, source }
    };
    // When an operation fails, the result of each later operation is null, and the commit has one more result.
    let answers: Vec<Option<SelectResult<'_>>> = match serde_json::from_slice(reply) {
        Ok(answers) => answers,
        Err(source) => return Err(not_a_reply(Some(source))),
    };
    for (at, answer) in answers.iter().enumerate() {
        let Some(SelectResult { error: Some(error), details, .. }) = answer else { continue };
        let (error, details) = (error.clone(), details.clone());
        return Err(match selects.get(at) {
            Some(select) => WireError::Refused { at, table: select.table.clone(), error, details },
            None => WireError::Transaction { error, details },
        });
    }
    if answers.len() < selects.len() {
        return Err(WireError::Results { asked: selects.len(), found: answers.len() });
    }
    selects
        .iter()
        .zip(&answers)
        .map(|(select, answer)| {
            let rows =
                answer.as_ref().and_then(|answer| answer.rows.as_ref()).ok_or_else(|| not_a_reply(None))?;
            read_rows(schema, select, rows)
        })
        .collect()
}

fn read_rows(schema: &Schema, select: &Select, found: &[&RawValue]) -> Result<Rows, WireError> {
    let table = match schema.table(&select.table) {
        Some(table) => table,
        None => return Err(WireError::Table(schema.unknown_table(&select.table))),
    };
    let wanted = select.wanted(table).map_err(WireError::Column)?;
    let mut rows = Vec::with_capacity(found.len());
    for json in found {
        let mut row = Row::new(table, crate::Uuid::default());
        let mut unknown = None;
        let mut named = false;
        crate::file::each_column(json.get(), |name, text| match (name, table.column_index(name)) {
            ("_uuid", _) => {
                if let Some(uuid) =
                    reference(text).as_ref().and_then(Datum::single).and_then(crate::Atom::as_uuid)
                {
                    row.set_uuid(uuid);
                    named = true;
                }
            }
            ("_version", _) => row.set_version(reference(text)),
            (_, Some(at)) => {
                let Some(column) = table.columns.get(at) else { return };
                let (value, problem) = decode::from_text(text, &column.ty);
                row.set(at, value);
                row.problems.extend(problem.map(|reason| Problem {
                    column: name.to_owned(),
                    found: cut(text),
                    reason,
                }));
            }
            (_, None) => unknown = Some(name.to_owned()),
        });
        if let Some(column) = unknown {
            let schema = format!("{} {}", schema.name, schema.version);
            return Err(WireError::SchemaMismatch { table: table.name.clone(), column, schema });
        }
        if !named {
            // Every select requests `_uuid`, so this is not the reply to this select.
            return Err(WireError::Reply { start: cut(json.get()), source: None });
        }
        if select.matches_residual(&row) {
            row.keep(&wanted);
            rows.push(row);
        }
    }
    rows.sort_unstable_by_key(|row| row.uuid);
    Ok(Rows { table: table.clone(), columns: select.columns.clone(), rows })
}

/// Parses the value of `_uuid` or `_version`.
fn reference(text: &str) -> Option<Datum> {
    let ty = ColumnType { key: BaseType::plain(AtomType::Uuid), value: None, min: 1, max: 1 };
    decode::from_text(text, &ty).0
}
