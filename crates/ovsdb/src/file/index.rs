//! Where the rows are: for each table the pieces of text that transactions wrote, by row and in order.

use std::ops::Range;

use super::scan::Scan;
use crate::Uuid;

/// The index of a whole file.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The transactions, in the order of the file.
    pub(super) records: Vec<Record>,
    /// What they hold that the schema has no place for.
    pub(super) problems: Vec<String>,
    /// In the order of the schema's tables.
    tables: Vec<Table>,
}

/// One transaction.
#[derive(Debug)]
pub(super) struct Record {
    /// Which record of the file it is; the schema of a standalone file is record 0.
    pub(super) number: usize,
    /// Where its JSON lies.
    pub(super) text: Range<usize>,
    pub(super) comment: Option<Range<usize>>,
    pub(super) date: Option<i64>,
    pub(super) is_diff: bool,
}

/// The rows of one table.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// What was written, sorted by row and then by transaction.
    fragments: Vec<Fragment>,
    /// How many rows there are at the end.
    pub(super) live: usize,
}

/// What one transaction wrote of one row.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) uuid: Uuid,
    /// Its place in [`Index::records`].
    pub(super) record: usize,
    /// Where the text lies: an object of columns, or `null` for a deletion.
    pub(super) text: Range<usize>,
}

impl Fragment {
    /// The text in the file's.
    pub(super) fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.text.clone()).unwrap_or_default()
    }

    /// Whether the row was deleted.
    pub(super) fn is_deletion(&self, text: &str) -> bool {
        self.of(text) == "null"
    }
}

impl Index {
    pub(super) fn new(tables: usize) -> Self {
        Self { tables: std::iter::repeat_with(Table::default).take(tables).collect(), ..Self::default() }
    }

    /// Adds a transaction, whose JSON lies at `text`.
    pub(super) fn push(&mut self, number: usize, text: Range<usize>, scan: Scan) {
        let record = self.records.len();
        let Scan { date, is_diff, comment, rows, problems } = scan;
        for (table, uuid, text) in rows {
            if let Some(table) = self.tables.get_mut(table) {
                table.fragments.push(Fragment { uuid, record, text });
            }
        }
        self.problems.extend(problems.into_iter().map(|problem| format!("record {number}: {problem}")));
        self.records.push(Record { number, text, comment, date, is_diff });
    }

    /// Sorts what was added, once all is.
    pub(super) fn finish(&mut self, text: &str) {
        for table in &mut self.tables {
            table.fragments.shrink_to_fit();
            // Stable: the fragments of a row stay in the order of the transactions.
            table.fragments.sort_by_key(|fragment| fragment.uuid);
            table.live = table.chains(text).count();
        }
    }

    pub(super) fn table(&self, table: usize) -> &Table {
        const NONE: &Table = &Table { fragments: Vec::new(), live: 0 };
        self.tables.get(table).unwrap_or(NONE)
    }
}

impl Table {
    /// What was written of a row, from its first insertion on.
    pub(super) fn fragments_of(&self, uuid: Uuid) -> &[Fragment] {
        let start = self.fragments.partition_point(|fragment| fragment.uuid < uuid);
        let rest = self.fragments.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|fragment| fragment.uuid == uuid)).unwrap_or_default()
    }

    /// For each row that is there at the end, in order of UUIDs: what was written of it since it was inserted.
    pub(super) fn chains<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Uuid, &'a [Fragment])> {
        self.fragments.chunk_by(|a, b| a.uuid == b.uuid).filter_map(|chain| {
            let chain = since_insertion(chain, text);
            chain.first().map(|first| (first.uuid, chain))
        })
    }
}

/// The part of a row's fragments that makes up the row: those after its last deletion.
pub(super) fn since_insertion<'a>(chain: &'a [Fragment], text: &str) -> &'a [Fragment] {
    let start = chain.iter().rposition(|fragment| fragment.is_deletion(text)).map_or(0, |at| at + 1);
    chain.get(start..).unwrap_or_default()
}
