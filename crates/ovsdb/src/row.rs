//! Rows, and typed looks at their columns.

use std::fmt;
use std::sync::Arc;

use crate::{Atom, ColumnSchema, Datum, TableSchema, Uuid};

/// Rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The table.
    pub table: Arc<TableSchema>,
    /// Which columns were asked for, in that order; nothing: all.
    pub columns: Option<Vec<String>>,
    /// The rows, in order of their UUIDs.
    pub rows: Vec<Row>,
}

impl Rows {
    /// The row of this UUID.
    #[must_use]
    pub fn get(&self, uuid: Uuid) -> Option<&Row> {
        let at = self.rows.binary_search_by(|row| row.uuid.cmp(&uuid)).ok()?;
        self.rows.get(at)
    }

    /// Everything in these rows that did not fit the schema.
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

/// A value that did not fit the schema. What could be expressed of it is in the row all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The column, which may be one that the schema does not have.
    pub column: String,
    /// The value as it was found, in the notation of RFC 7047 and cut when long.
    pub found: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {} in {}", self.column, self.reason, self.found)
    }
}

/// One row. Two rows are equal when their UUIDs, values and problems are; `_version` does not count, as files do
/// not hold it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The table's schema.
    pub table: Arc<TableSchema>,
    /// The row's identity.
    pub uuid: Uuid,
    /// Values that did not fit the schema.
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
    /// A row of which no column is known yet.
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

    /// Forgets the columns that are not wanted.
    pub(crate) fn keep(&mut self, wanted: &[bool]) {
        for (value, wanted) in self.values.iter_mut().zip(wanted) {
            if !wanted {
                *value = None;
            }
        }
    }

    /// Changes values: `edit` gets each column that was read and gives its new value, if it has one.
    pub fn edit(&mut self, mut edit: impl FnMut(&ColumnSchema, &Datum) -> Option<Datum>) {
        for (column, value) in self.table.columns.iter().zip(&mut self.values) {
            if let Some(new) = value.as_ref().and_then(|value| edit(column, value)) {
                *value = Some(new);
            }
        }
    }

    /// Forgets the value of a column.
    pub fn forget(&mut self, column: &str) {
        if let Some(at) = self.table.column_index(column) {
            self.set(at, None);
        }
    }

    pub(crate) fn value(&self, column: usize) -> Option<&Datum> {
        self.values.get(column)?.as_ref()
    }

    /// The value of a column; nothing when it was not asked for, is not in the schema or could not be expressed.
    ///
    /// `_uuid` is always there; `_version` only in rows of a live server, when all columns were asked for.
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

    /// The text of a column that holds exactly one string.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.single(column)?.as_str()
    }

    /// The number of a column that holds exactly one integer.
    #[must_use]
    pub fn int(&self, column: &str) -> Option<i64> {
        self.single(column)?.as_int()
    }

    /// The truth of a column that holds exactly one boolean.
    #[must_use]
    pub fn bool(&self, column: &str) -> Option<bool> {
        self.single(column)?.as_bool()
    }

    /// The strings of a column that holds a set of them, in order.
    pub fn strings(&self, column: &str) -> impl Iterator<Item = &str> {
        self.get(column).map(Datum::atoms).unwrap_or_default().iter().filter_map(Atom::as_str)
    }

    /// The keys and values of a column that maps strings to strings, in order of the keys.
    pub fn map(&self, column: &str) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.get(column).map(Datum::pairs).unwrap_or_default();
        pairs.iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
    }

    /// The string under a key of a column that maps strings to strings.
    #[must_use]
    pub fn map_get(&self, column: &str, key: &str) -> Option<&str> {
        self.get(column)?.value_of(&Atom::from(key))?.as_str()
    }

    /// The rows that a column refers to, in order: the elements of a set, the keys and values of a map.
    pub fn refs(&self, column: &str) -> impl Iterator<Item = Uuid> {
        let datum = self.get(column);
        let elements = datum.map(Datum::atoms).unwrap_or_default().iter();
        let pairs = datum.map(Datum::pairs).unwrap_or_default().iter().flat_map(|(key, value)| [key, value]);
        elements.chain(pairs).filter_map(Atom::as_uuid)
    }
}
