//! The index of a file: for each table, the fragments of text that transactions wrote, sorted by row and time.

use std::ops::Range;

use super::scan::ScannedTransaction;
use crate::Uuid;

/// The index of a whole file.
#[derive(Debug, Default)]
pub(super) struct FileIndex {
    /// The transactions, in the order of the file.
    pub(super) records: Vec<TransactionRecord>,
    /// The parts of transactions that do not fit the schema.
    pub(super) problems: Vec<String>,
    /// The tables, in the order of the schema.
    tables: Vec<TableIndex>,
}

/// The position of one transaction.
#[derive(Debug)]
pub(super) struct TransactionRecord {
    /// The number of the record in the file. The schema of a standalone file is record 0.
    pub(super) number: usize,
    /// The range of its JSON in the file.
    pub(super) text: Range<usize>,
    pub(super) comment: Option<Range<usize>>,
    pub(super) date: Option<i64>,
    pub(super) is_diff: bool,
}

/// The rows of one table.
#[derive(Debug, Default)]
pub(super) struct TableIndex {
    /// The fragments, sorted by row and then by transaction.
    fragments: Vec<RowFragment>,
    /// The number of rows after the last transaction.
    pub(super) live: usize,
}

/// The text that one transaction wrote about one row.
#[derive(Debug)]
pub(super) struct RowFragment {
    pub(super) uuid: Uuid,
    /// The index of the transaction in [`FileIndex::records`].
    pub(super) record: usize,
    /// The range of the text in the file: an object of columns, or `null` for a deletion.
    pub(super) text: Range<usize>,
}

impl RowFragment {
    /// Returns the text of the fragment, given the text of the file.
    pub(super) fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.text.clone()).unwrap_or_default()
    }

    /// Returns true if the fragment deletes the row.
    pub(super) fn is_deletion(&self, text: &str) -> bool {
        self.of(text) == "null"
    }
}

impl FileIndex {
    pub(super) fn new(tables: usize) -> Self {
        Self { tables: std::iter::repeat_with(TableIndex::default).take(tables).collect(), ..Self::default() }
    }

    /// Adds a transaction with the range of its JSON.
    pub(super) fn push(&mut self, number: usize, text: Range<usize>, scan: ScannedTransaction) {
        let record = self.records.len();
        let ScannedTransaction { date, is_diff, comment, rows, problems } = scan;
        for (table, uuid, text) in rows {
            if let Some(table) = self.tables.get_mut(table) {
                table.fragments.push(RowFragment { uuid, record, text });
            }
        }
        self.problems.extend(problems.into_iter().map(|problem| format!("record {number}: {problem}")));
        self.records.push(TransactionRecord { number, text, comment, date, is_diff });
    }

    /// Sorts the fragments. Call this once, after all transactions were added.
    pub(super) fn finish(&mut self, text: &str) {
        for table in &mut self.tables {
            table.fragments.shrink_to_fit();
            // A stable sort keeps the fragments of a row in the order of the transactions.
            table.fragments.sort_by_key(|fragment| fragment.uuid);
            table.live = table.chains(text).count();
        }
    }

    pub(super) fn table(&self, table: usize) -> &TableIndex {
        const NONE: &TableIndex = &TableIndex { fragments: Vec::new(), live: 0 };
        self.tables.get(table).unwrap_or(NONE)
    }
}

impl TableIndex {
    /// Returns all fragments of a row, from its first insertion on.
    pub(super) fn fragments_of(&self, uuid: Uuid) -> &[RowFragment] {
        let start = self.fragments.partition_point(|fragment| fragment.uuid < uuid);
        let rest = self.fragments.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|fragment| fragment.uuid == uuid)).unwrap_or_default()
    }

    /// Returns each row that exists after the last transaction, in the order of UUIDs, with its fragments since its
    /// insertion.
    pub(super) fn chains<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Uuid, &'a [RowFragment])> {
        self.fragments.chunk_by(|a, b| a.uuid == b.uuid).filter_map(|chain| {
            let chain = since_insertion(chain, text);
            chain.first().map(|first| (first.uuid, chain))
        })
    }
}

/// Returns the fragments after the last deletion of a row, which make up its current values.
pub(super) fn since_insertion<'a>(chain: &'a [RowFragment], text: &str) -> &'a [RowFragment] {
    let start = chain.iter().rposition(|fragment| fragment.is_deletion(text)).map_or(0, |at| at + 1);
    chain.get(start..).unwrap_or_default()
}
