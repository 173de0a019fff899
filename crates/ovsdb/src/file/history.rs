//! The history of a file: its transactions, and the rows before and after each of them.

use std::borrow::Cow;

use super::index::RowFragment;
use super::scan::scan;
use super::{Database, read, scan as text};
use crate::{Row, UnknownTable, Uuid};

/// One transaction of a file.
///
/// A compacted file begins with one transaction that inserts all rows, so only later changes are separate transactions.
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    db: &'a Database,
    at: usize,
}

/// The change of one row by a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRow {
    /// The row's table.
    pub table: String,
    /// The row's UUID.
    pub uuid: Uuid,
    /// Whether the row was inserted, modified or deleted.
    pub kind: ChangeKind,
    /// The columns that the transaction wrote, sorted. Empty for a deletion.
    pub columns: Vec<String>,
}

/// The kinds of changes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The row was inserted.
    Insert,
    /// Some columns were written.
    Modify,
    /// The row was deleted, by a client or because no row referred to it any more.
    Delete,
}

/// A row before and after a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The row before the transaction, or `None` if the transaction inserted it.
    pub before: Option<Row>,
    /// The row after the transaction, or `None` if the transaction deleted it.
    pub after: Option<Row>,
}

impl RowChange {
    /// Returns the columns that differ, sorted. If the row exists only before or after, returns its columns whose value
    /// is not the default.
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
    /// Returns the transactions in the order of the file, oldest first. This is cheap, because their changes are read
    /// only on demand.
    ///
    /// In a clustered file, transactions before a change of the schema and transactions that are not applied are left
    /// out.
    pub fn transactions(&self) -> impl DoubleEndedIterator<Item = Transaction<'_>> + ExactSizeIterator {
        (0..self.index.records.len()).map(|at| Transaction { db: self, at })
    }
}

impl<'a> Transaction<'a> {
    fn record(&self) -> Option<&'a super::index::TransactionRecord> {
        self.db.index.records.get(self.at)
    }

    /// Returns the number of the record in the file, as `ovsdb-tool show-log` counts.
    #[must_use]
    pub fn record_number(&self) -> usize {
        self.record().map_or(0, |record| record.number)
    }

    /// Returns the time of the commit, in milliseconds since 1970-01-01 UTC.
    ///
    /// Old servers wrote seconds. A number below 2^32 is in seconds (`ovsdb(5)`, `_date`).
    #[must_use]
    pub fn date_ms(&self) -> Option<i64> {
        let date = self.record()?.date?;
        Some(if date < 1 << 32 { date.saturating_mul(1000) } else { date })
    }

    /// Returns the comment that the client wrote, for example the command line of `ovn-nbctl`. It may contain any text.
    #[must_use]
    pub fn comment(&self) -> Option<Cow<'a, str>> {
        let text = self.db.text.get(self.record()?.comment.clone()?)?;
        Some(match serde_json::from_str::<String>(text) {
            Ok(comment) => Cow::Owned(comment),
            Err(_) => Cow::Borrowed(text),
        })
    }

    /// Returns the changes of the transaction, sorted by table and row.
    #[must_use]
    pub fn changes(&self) -> Vec<ChangedRow> {
        let db = self.db;
        let rows = self.record().and_then(|record| {
            let text = db.text.get(record.text.clone())?;
            scan(text, record.text.start, &db.schema).ok()
        });
        let mut changes: Vec<ChangedRow> = rows
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
                Some(ChangedRow { table: db.schema.tables.get(table)?.name.clone(), uuid, kind, columns })
            })
            .collect();
        changes.sort_by(|a, b| (&a.table, a.uuid).cmp(&(&b.table, b.uuid)));
        changes
    }

    /// Returns a row before and after this transaction, even if the transaction did not change it.
    ///
    /// # Errors
    /// The schema has no such table.
    pub fn row(&self, table: &str, uuid: Uuid) -> Result<RowChange, UnknownTable> {
        let table = self.db.table_index(table)?;
        let all = self.db.index.table(table).fragments_of(uuid);
        let until = |at: usize| {
            let count = all.partition_point(|fragment| fragment.record < at);
            read::row(self.db, table, uuid, all.get(..count).unwrap_or_default())
        };
        Ok(RowChange { before: until(self.at), after: until(self.at + 1) })
    }

    /// Returns the fragments of a row that were written before this transaction, and the fragment that this transaction
    /// wrote.
    fn fragments(&self, table: usize, uuid: Uuid) -> (&'a [RowFragment], Option<&'a RowFragment>) {
        let all = self.db.index.table(table).fragments_of(uuid);
        let count = all.partition_point(|fragment| fragment.record < self.at);
        (all.get(..count).unwrap_or_default(), all.get(count).filter(|fragment| fragment.record == self.at))
    }
}
