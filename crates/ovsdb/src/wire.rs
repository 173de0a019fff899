//! Selects over the wire: the text that `ovsdb-client query` takes, and the text that it prints.
//!
//! `query` runs a transaction and never commits it (`ovsdb-client(1)`); only `select` operations can be made here.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::decode::{self, cut};
use crate::row::Problem;
use crate::schema::{UnknownColumn, UnknownTable};
use crate::{AtomType, BaseType, ColumnType, Datum, Row, Rows, Schema, Select};

/// What is wrong with a reply.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is not the JSON of a reply (RFC 7047 section 4.1.3).
    #[error("the reply is not that of an OVSDB transaction: it begins with {start:?}")]
    Reply {
        /// The first characters of the reply.
        start: String,
        /// Why not, when it is not even JSON.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// There are fewer results than selects.
    #[error("the reply has {found} results for {asked} selects")]
    Results {
        /// How many selects were sent.
        asked: usize,
        /// How many results came.
        found: usize,
    },
    /// The server refused a select (RFC 7047 section 3.1, `<error>`).
    #[error("select {} of table {table} was refused: {error}{}", at + 1, details.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// Which select, the first being 0.
        at: usize,
        /// The table that it asked for.
        table: String,
        /// The server's word for the error.
        error: String,
        /// What the server says about it.
        details: Option<String>,
    },
    /// The server refused the transaction as a whole.
    #[error("the transaction was refused: {error}{}", details.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Transaction {
        /// The server's word for the error.
        error: String,
        /// What the server says about it.
        details: Option<String>,
    },
    /// The select's table is not in the schema that the rows should be read with.
    #[error("the schema does not fit the selects")]
    Table(#[source] UnknownTable),
    /// A select names a column that the schema does not have.
    #[error("the schema does not fit the selects")]
    Column(#[source] UnknownColumn),
    /// The server sent a column that the schema does not have: it is not the server's schema.
    #[error(
        "the reply has column {column} of table {table}, which schema {schema} does not: it is not the server's"
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

/// The transaction that asks these, for `ovsdb-client query SOCKET TEXT`.
#[must_use]
pub fn query_json(db: &str, selects: &[Select]) -> String {
    let mut transaction = vec![Value::from(db)];
    transaction.extend(selects.iter().map(Select::to_json));
    Value::Array(transaction).to_string()
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    rows: Option<Vec<&'a RawValue>>,
    error: Option<String>,
    details: Option<String>,
}

/// Rows as a server would send them: what [`parse_reply`] reads, for recordings.
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

/// The rows of each select, from what `ovsdb-client query` printed. `schema` must be the server's own
/// (`ovsdb-client get-schema`).
///
/// # Errors
/// When the reply is none, the server refused something, or the schema is not the server's.
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
    // When an operation fails, those after it have no result but null, and there is one more for the commit.
    let answers: Vec<Option<Answer<'_>>> = match serde_json::from_slice(reply) {
        Ok(answers) => answers,
        Err(source) => return Err(not_a_reply(Some(source))),
    };
    for (at, answer) in answers.iter().enumerate() {
        let Some(Answer { error: Some(error), details, .. }) = answer else { continue };
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
            // Every select asks for `_uuid`: this answers something else.
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

/// The value of a pseudo-column.
fn reference(text: &str) -> Option<Datum> {
    let ty = ColumnType { key: BaseType::plain(AtomType::Uuid), value: None, min: 1, max: 1 };
    decode::from_text(text, &ty).0
}
