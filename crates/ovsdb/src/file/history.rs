//! What was changed when: the transactions that a file has kept.

use std::borrow::Cow;

use super::index::Fragment;
use super::scan::scan;
use super::{Database, read, scan as text};
use crate::{Row, UnknownTable, Uuid};

/// One transaction of a file.
///
/// A file that was compacted begins with one transaction that inserts all rows, so only changes since are told
/// apart.
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    db: &'a Database,
    at: usize,
}

/// What a transaction did to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The row's table.
    pub table: String,
    /// The row.
    pub uuid: Uuid,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The columns written, sorted; none for a deletion.
    pub columns: Vec<String>,
}

/// What can happen to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was made.
    Insert,
    /// Some columns were written.
    Modify,
    /// It was removed, by a client or because nothing referred to it any more.
    Delete,
}

/// A row before and after a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The row as it was; nothing when the transaction inserted it.
    pub before: Option<Row>,
    /// The row as it is then; nothing when the transaction deleted it.
    pub after: Option<Row>,
}

impl RowChange {
    /// The columns that differ, sorted. Against a row that is not there, those that do not hold their default.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let columns = self.before.as_ref().or(self.after.as_ref()).map(|row| row.table.columns.as_slice());
        columns.unwrap_or_default().iter().enumerate().filter_map(|(at, column)| {
            let value = |row: &Option<Row>| match row {
                Some(row) => row.value(at).cloned(),
                None => Some(column.ty.default_datum()),
            };
            (value(&self.before) != value(&self.after)).then_some(column.name.as_str())
        })
    }
}

impl Database {
    /// The transactions in the order of the file, oldest first. Cheap: what they did is read when asked.
    ///
    /// Those before a change of the schema in a clustered file, and those not applied, are not among them.
    pub fn transactions(&self) -> impl DoubleEndedIterator<Item = Transaction<'_>> + ExactSizeIterator {
        (0..self.index.records.len()).map(|at| Transaction { db: self, at })
    }
}

impl<'a> Transaction<'a> {
    fn record(&self) -> Option<&'a super::index::Record> {
        self.db.index.records.get(self.at)
    }

    /// Which record of the file it is, as `ovsdb-tool show-log` counts.
    #[must_use]
    pub fn record_number(&self) -> usize {
        self.record().map_or(0, |record| record.number)
    }

    /// When it was committed, in milliseconds since 1970-01-01 UTC.
    ///
    /// Old servers wrote seconds, which are told by being less than 2^32 (`ovsdb(5)`, `_date`).
    #[must_use]
    pub fn date_ms(&self) -> Option<i64> {
        let date = self.record()?.date?;
        Some(if date < 1 << 32 { date.saturating_mul(1000) } else { date })
    }

    /// What the client said that it was doing, as `ovn-nbctl` gives its command line. It may hold anything.
    #[must_use]
    pub fn comment(&self) -> Option<Cow<'a, str>> {
        let text = self.db.text.get(self.record()?.comment.clone()?)?;
        Some(match serde_json::from_str::<String>(text) {
            Ok(comment) => Cow::Owned(comment),
            Err(_) => Cow::Borrowed(text),
        })
    }

    /// What it did, by table and row.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let db = self.db;
        let rows = self.record().and_then(|record| {
            let text = db.text.get(record.text.clone())?;
            scan(text, record.text.start, &db.schema).ok()
        });
        let mut changes: Vec<Change> = rows
            .map(|scan| scan.rows)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(table, uuid, range)| {
                let mut columns = Vec::new();
                text::columns(db.text.get(range)?, |name, _| columns.push(name.to_owned()));
                columns.sort_unstable();
                let (before, fragment) = self.fragments(table, uuid);
                let kind = match before.last() {
                    _ if fragment?.is_deletion(&db.text) => ChangeKind::Delete,
                    Some(last) if !last.is_deletion(&db.text) => ChangeKind::Modify,
                    _ => ChangeKind::Insert,
                };
                Some(Change { table: db.schema.tables.get(table)?.name.clone(), uuid, kind, columns })
            })
            .collect();
        changes.sort_by(|a, b| (&a.table, a.uuid).cmp(&(&b.table, b.uuid)));
        changes
    }

    /// A row as it was before and is after this transaction, whether or not this transaction changed it.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn row(&self, table: &str, uuid: Uuid) -> Result<RowChange, UnknownTable> {
        let table = self.db.table_index(table)?;
        let all = self.db.index.table(table).fragments_of(uuid);
        let until = |at: usize| {
            let count = all.partition_point(|fragment| fragment.record < at);
            read::row(self.db, table, uuid, all.get(..count).unwrap_or_default())
        };
        Ok(RowChange { before: until(self.at), after: until(self.at + 1) })
    }

    /// What was written of a row before this transaction, and what this one wrote.
    fn fragments(&self, table: usize, uuid: Uuid) -> (&'a [Fragment], Option<&'a Fragment>) {
        let all = self.db.index.table(table).fragments_of(uuid);
        let count = all.partition_point(|fragment| fragment.record < self.at);
        (all.get(..count).unwrap_or_default(), all.get(count).filter(|fragment| fragment.record == self.at))
    }
}
