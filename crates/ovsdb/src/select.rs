//! The one question that can be asked: which rows of a table, and which of their columns.

use serde_json::{Value, json};

use crate::schema::{UnknownColumn, UnknownTable};
use crate::{Condition, Row, Schema, TableSchema, Uuid};

/// Asks for the rows of one table that meet all conditions (RFC 7047 section 5.2.2).
///
/// From a file and from a live server it gives the same rows: what a server cannot evaluate is asked of it as
/// nearly as it can and then evaluated here.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// The table, by its exact name ([`crate::Schema::find_table`] finds it).
    pub table: String,
    /// What rows must meet; none: all rows.
    pub conditions: Vec<Condition>,
    /// The columns wanted, by their exact names; nothing: all.
    pub columns: Option<Vec<String>>,
}

/// Why a select cannot be answered.
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
    /// All rows and columns of a table.
    fn from(table: &str) -> Self {
        Self { table: table.to_owned(), conditions: Vec::new(), columns: None }
    }
}

impl Select {
    /// The row of this UUID, in a table.
    #[must_use]
    pub fn by_uuid(table: &str, uuid: Uuid) -> Self {
        Self::from(table).filter(Condition::is("_uuid", uuid))
    }

    /// Only rows that also meet this.
    #[must_use]
    pub fn filter(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Only these columns.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Whether a row meets all conditions. All columns that they look at must have been read.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.conditions.iter().all(|condition| condition.matches(row))
    }

    /// Whether a row that a server found meets the conditions that the server could not evaluate.
    pub(crate) fn matches_residual(&self, row: &Row) -> bool {
        self.conditions
            .iter()
            .filter(|condition| condition.is_residual())
            .all(|condition| condition.matches(row))
    }

    /// That the table and all columns named exist.
    ///
    /// # Errors
    /// The first that does not, with those that do.
    pub fn check(&self, schema: &Schema) -> Result<(), SelectError> {
        let table = schema.table(&self.table).ok_or_else(|| schema.unknown_table(&self.table))?;
        self.wanted(table)?;
        Ok(())
    }

    /// The operation in the notation of RFC 7047 section 5.2.2. Columns that conditions still need here are asked
    /// for beside those wanted.
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

    /// Which of the table's columns are wanted, and that all columns named exist.
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
