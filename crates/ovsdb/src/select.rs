//! The query type: it selects rows and columns of one table.

use serde_json::{Value, json};

use crate::schema::{UnknownColumn, UnknownTable};
use crate::{Condition, Row, Schema, TableSchema, Uuid};

/// A query for the rows of one table that match all conditions (RFC 7047 section 5.2.2).
///
/// A file and a live server return the same rows. If a server cannot evaluate a condition, it gets the nearest
/// condition that it can evaluate, and this crate filters its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// The table, by its exact name ([`crate::Schema::find_table`] finds it).
    pub table: String,
    /// The conditions that rows must match. Without conditions, all rows match.
    pub conditions: Vec<Condition>,
    /// The exact names of the columns to read, or `None` for all columns.
    pub columns: Option<Vec<String>>,
}

/// The reason why a select cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The schema has no such table.
    #[error(transparent)]
    Table(#[from] UnknownTable),
    /// The table has no such column.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
}

impl From<&str> for Select {
    /// Selects all rows and columns of a table.
    fn from(table: &str) -> Self {
        Self { table: table.to_owned(), conditions: Vec::new(), columns: None }
    }
}

impl Select {
    /// Selects the row with this UUID.
    #[must_use]
    pub fn by_uuid(table: &str, uuid: Uuid) -> Self {
        Self::from(table).filter(Condition::is("_uuid", uuid))
    }

    /// Adds a condition that rows must match.
    #[must_use]
    pub fn filter(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Selects only these columns.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Returns true if a row matches all conditions. The columns of all conditions must have been read.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.conditions.iter().all(|condition| condition.matches(row))
    }

    /// Returns true if a row that a server found matches the conditions that the server could not evaluate.
    pub(crate) fn matches_residual(&self, row: &Row) -> bool {
        self.conditions
            .iter()
            .filter(|condition| condition.is_residual())
            .all(|condition| condition.matches(row))
    }

    /// Checks that the table and all named columns exist.
    ///
    /// # Errors
    /// The first name that does not exist, with the names that do.
    pub fn check(&self, schema: &Schema) -> Result<(), SelectError> {
        let table = schema.table(&self.table).ok_or_else(|| schema.unknown_table(&self.table))?;
        self.wanted(table)?;
        Ok(())
    }

    /// Returns the operation in the notation of RFC 7047 section 5.2.2. It also requests the columns of conditions that
    /// the server cannot evaluate.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let conditions: Vec<Value> = self.conditions.iter().filter_map(Condition::to_wire).collect();
        let Some(columns) = &self.columns else {
            return json!({ "op": "select", "table": self.table, "where": conditions });
        };
        let mut wanted: Vec<&str> = vec!["_uuid"];
        let residual =
            self.conditions.iter().filter(|condition| condition.is_residual()).map(Condition::column);
        for column in columns.iter().map(String::as_str).chain(residual) {
            if !wanted.contains(&column) {
                wanted.push(column);
            }
        }
        json!({ "op": "select", "table": self.table, "where": conditions, "columns": wanted })
    }

    /// Returns which of the table's columns are wanted, and checks that all named columns exist.
    pub(crate) fn wanted(&self, table: &TableSchema) -> Result<Vec<bool>, UnknownColumn> {
        for condition in &self.conditions {
            if condition.column() != "_uuid" {
                table.column(condition.column()).ok_or_else(|| table.unknown_column(condition.column()))?;
            }
        }
        let Some(columns) = &self.columns else { return Ok(vec![true; table.columns.len()]) };
        let mut wanted = vec![false; table.columns.len()];
        for column in columns.iter().filter(|column| *column != "_uuid" && *column != "_version") {
            let at = table.column_index(column).ok_or_else(|| table.unknown_column(column))?;
            wanted.iter_mut().skip(at).take(1).for_each(|wanted| *wanted = true);
        }
        Ok(wanted)
    }
}
