//! Rows, and typed access to their columns.

use std::fmt;
use std::sync::Arc;

use crate::{Atom, ColumnSchema, Datum, TableSchema, Uuid};

/// Rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The table.
    pub table: Arc<TableSchema>,
    /// The requested columns in their order, or `None` for all columns.
    pub columns: Option<Vec<String>>,
    /// The rows, in the order of their UUIDs.
    pub rows: Vec<Row>,
}

impl Rows {
    /// Returns the row with this UUID.
    #[must_use]
    pub fn get(&self, uuid: Uuid) -> Option<&Row> {
        let at = self.rows.binary_search_by(|row| row.uuid.cmp(&uuid)).ok()?;
        self.rows.get(at)
    }

    /// Returns the values of all rows that did not fit the schema, with the UUID of their row.
    pub fn problems(&self) -> impl Iterator<Item = (Uuid, &Problem)> {
        self.rows.iter().flat_map(|row| row.problems.iter().map(|problem| (row.uuid, problem)))
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

/// A value that did not fit the schema. The row still contains the value if it can be expressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The column, which the schema may lack.
    pub column: String,
    /// The value in the notation of RFC 7047, truncated if it is long.
    pub found: String,
    /// The reason why the value does not fit.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {} in {}", self.column, self.reason, self.found)
    }
}

/// One row of a table. Two rows are equal if their UUIDs, values and problems are equal. `_version` does not count,
/// because files do not contain it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The table's schema.
    pub table: Arc<TableSchema>,
    /// The UUID of the row.
    pub uuid: Uuid,
    /// The values that did not fit the schema.
    pub problems: Vec<Problem>,
    id: Datum,
    version: Option<Datum>,
    values: Vec<Option<Datum>>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid && self.values == other.values && self.problems == other.problems
    }
}

impl Row {
    /// Creates a row without column values.
    pub(crate) fn new(table: &Arc<TableSchema>, uuid: Uuid) -> Self {
        let values = vec![None; table.columns.len()];
        Self {
            table: Arc::clone(table),
            uuid,
            problems: Vec::new(),
            id: Datum::scalar(uuid),
            version: None,
            values,
        }
    }

    pub(crate) fn set(&mut self, column: usize, value: Option<Datum>) {
        if let Some(slot) = self.values.get_mut(column) {
            *slot = value;
        }
    }

    pub(crate) fn take(&mut self, column: usize) -> Option<Datum> {
        self.values.get_mut(column)?.take()
    }

    pub(crate) fn set_uuid(&mut self, uuid: Uuid) {
        self.uuid = uuid;
        self.id = Datum::scalar(uuid);
    }

    pub(crate) fn set_version(&mut self, version: Option<Datum>) {
        self.version = version;
    }

    /// Removes the values of columns that are not wanted.
    pub(crate) fn keep(&mut self, wanted: &[bool]) {
        for (value, wanted) in self.values.iter_mut().zip(wanted) {
            if !wanted {
                *value = None;
            }
        }
    }

    /// Changes values of the row. `edit` gets each column that was read, and returns the new value or `None` to keep
    /// the old one.
    pub fn edit(&mut self, mut edit: impl FnMut(&ColumnSchema, &Datum) -> Option<Datum>) {
        for (column, value) in self.table.columns.iter().zip(&mut self.values) {
            if let Some(new) = value.as_ref().and_then(|value| edit(column, value)) {
                *value = Some(new);
            }
        }
    }

    /// Removes the value of a column.
    pub fn forget(&mut self, column: &str) {
        if let Some(at) = self.table.column_index(column) {
            self.set(at, None);
        }
    }

    pub(crate) fn value(&self, column: usize) -> Option<&Datum> {
        self.values.get(column)?.as_ref()
    }

    /// Returns the value of a column, or `None` if it was not requested, is not in the schema or could not be
    /// expressed.
    ///
    /// `_uuid` always exists. `_version` exists only in rows from a live server, if all columns were requested.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Datum> {
        match column {
            "_uuid" => Some(&self.id),
            "_version" => self.version.as_ref(),
            _ => self.value(self.table.column_index(column)?),
        }
    }

    fn single(&self, column: &str) -> Option<&Atom> {
        self.get(column)?.single()
    }

    /// Returns the text of a column that contains exactly one string.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.single(column)?.as_str()
    }

    /// Returns the number of a column that contains exactly one integer.
    #[must_use]
    pub fn int(&self, column: &str) -> Option<i64> {
        self.single(column)?.as_int()
    }

    /// Returns the value of a column that contains exactly one boolean.
    #[must_use]
    pub fn bool(&self, column: &str) -> Option<bool> {
        self.single(column)?.as_bool()
    }

    /// Returns the strings of a column that contains a set of strings, in order.
    pub fn strings(&self, column: &str) -> impl Iterator<Item = &str> {
        self.get(column).map(Datum::atoms).unwrap_or_default().iter().filter_map(Atom::as_str)
    }

    /// Returns the keys and values of a column that maps strings to strings, in the order of the keys.
    pub fn map(&self, column: &str) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.get(column).map(Datum::pairs).unwrap_or_default();
        pairs.iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
    }

    /// Returns the string under a key of a column that maps strings to strings.
    #[must_use]
    pub fn map_get(&self, column: &str, key: &str) -> Option<&str> {
        self.get(column)?.value_of(&Atom::from(key))?.as_str()
    }

    /// Returns the UUIDs of the rows that a column refers to, in order: the elements of a set, or the keys and values
    /// of a map.
    pub fn refs(&self, column: &str) -> impl Iterator<Item = Uuid> {
        let datum = self.get(column);
        let elements = datum.map(Datum::atoms).unwrap_or_default().iter();
        let pairs = datum.map(Datum::pairs).unwrap_or_default().iter().flat_map(|(key, value)| [key, value]);
        elements.chain(pairs).filter_map(Atom::as_uuid)
    }
}
