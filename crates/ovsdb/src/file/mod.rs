//! Reads database files. A file is indexed once, and a select reads only the parts that it needs.
//!
//! The file stays in memory unchanged. Opening it records the position of each row in one pass. A select then parses
//! only the rows that can match, and only the columns that it needs.

mod history;
mod index;
mod raft;
mod read;
mod record;
mod scan;
mod standalone;
mod write;

use std::sync::Arc;

use crate::{Row, Rows, Schema, SchemaError, Select, SelectError, UnknownTable, Uuid};

pub use history::{ChangeKind, ChangedRow, RowChange, Transaction};
pub use raft::Clustered;
pub use record::{Damage, DamageReason};
pub use write::NewFile;

pub(crate) use scan::columns as each_column;

use index::FileIndex;
use record::FileText;

/// An OVSDB file: standalone or clustered, complete or truncated.
#[derive(Debug)]
pub struct Database {
    text: String,
    file_len: usize,
    kind: FileFormat,
    schema: Arc<Schema>,
    index: FileIndex,
    damage: Option<Damage>,
    edited: bool,
    /// Whether the file spells each string in one way only: without `\u` escapes and without `\/`. This is true for
    /// nearly all files that OVSDB writes.
    plain: bool,
}

/// The two formats of `ovsdb(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// The whole database of one server.
    Standalone,
    /// One server's log of a database shared by a cluster.
    Clustered(Box<Clustered>),
}

/// The reason why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file has to be decompressed first.
    #[error("the file is compressed with {0}")]
    Compressed(&'static str),
    /// The file does not begin like an OVSDB file.
    #[error("not an OVSDB file: it begins with {start:?}")]
    NotOvsdb {
        /// The first bytes, with bytes that are not text replaced.
        start: String,
    },
    /// The first record, which contains the schema, cannot be read.
    #[error("the first record, which contains the schema, cannot be read")]
    FirstRecord(#[source] Damage),
    /// The first record contains no valid schema.
    #[error("the schema cannot be read")]
    Schema(#[source] SchemaError),
    /// The server was configured to join a cluster and had not joined it yet (`ovsdb(5)`, "Joining a Cluster").
    #[error("the file has no data yet: server {server_id} had not joined the cluster of {name} at {}", remotes.join(", "))]
    NotJoined {
        /// The database's name.
        name: String,
        /// The server's own UUID.
        server_id: String,
        /// The addresses of the cluster that it had to join.
        remotes: Vec<String>,
    },
}

impl Database {
    /// Opens a file from its bytes, which stay in memory unchanged.
    ///
    /// If the end of the file is damaged, the part before it is opened; see [`Database::damage`].
    ///
    /// # Errors
    /// The schema cannot be read: the file is empty, compressed or not an OVSDB file, or its first record is damaged.
    pub fn open(bytes: impl Into<Vec<u8>>) -> Result<Self, OpenError> {
        Self::load(bytes.into(), false)
    }

    /// Opens a file whose records were edited as text after they were written, as `sos clean` does with every address
    /// and name. It ignores the lengths and checksums of records, so it also reads damaged records as long as they are
    /// JSON. Use it only for files that are known to be edited.
    ///
    /// # Errors
    /// Those of [`Database::open`].
    pub fn open_edited(bytes: impl Into<Vec<u8>>) -> Result<Self, OpenError> {
        Self::load(bytes.into(), true)
    }

    fn load(bytes: Vec<u8>, edited: bool) -> Result<Self, OpenError> {
        let clustered = sniff(&bytes)?;
        let file = FileText::new(bytes, edited);
        let (kind, schema, index, damage) =
            if clustered { raft::load(&file) } else { standalone::load(&file) }?;
        let FileText { text, file_len, .. } = file;
        let lacks = |spelling: &[u8]| memchr::memmem::find(text.as_bytes(), spelling).is_none();
        let plain = lacks(b"\\u") && lacks(b"\\/");
        Ok(Self { text, file_len, kind, schema, index, damage, edited, plain })
    }

    /// Returns the schema in the file.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns the format of the file, and for a clustered file the state of its cluster.
    #[must_use]
    pub const fn kind(&self) -> &FileFormat {
        &self.kind
    }

    /// Returns where and why the file could not be read further, or `None` if it was read to its end.
    #[must_use]
    pub const fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Returns true if [`Database::open_edited`] opened the file.
    #[must_use]
    pub const fn is_edited(&self) -> bool {
        self.edited
    }

    /// Returns the parts of transactions that do not fit the schema, such as unknown tables.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.index.problems
    }

    /// Returns the length of the file in bytes.
    #[must_use]
    pub const fn file_len(&self) -> usize {
        self.file_len
    }

    /// Returns the number of rows of a table.
    ///
    /// # Errors
    /// The schema has no such table.
    pub fn row_count(&self, table: &str) -> Result<usize, UnknownTable> {
        Ok(self.index.table(self.table_index(table)?).live)
    }

    /// Returns the rows that match the select, in the order of their UUIDs.
    ///
    /// # Errors
    /// The table or a column that the select names is not in the schema.
    pub fn select(&self, select: &Select) -> Result<Rows, SelectError> {
        let table = self.table_index(&select.table)?;
        read::select(self, table, select)
    }

    /// Returns the row with this UUID and all its columns, or `None` if the table has no such row.
    ///
    /// # Errors
    /// The schema has no such table.
    pub fn get(&self, table: &str, uuid: Uuid) -> Result<Option<Row>, UnknownTable> {
        let table = self.table_index(table)?;
        Ok(read::row(self, table, uuid, self.index.table(table).fragments_of(uuid)))
    }

    fn table_index(&self, name: &str) -> Result<usize, UnknownTable> {
        match self.schema.table_index(name) {
            Some(at) => Ok(at),
            // Only an exact name is accepted here. The error contains the names that exist.
            None => Err(self.schema.unknown_table(name)),
        }
    }
}

/// Returns true for the bytes of a clustered file and false for those of a standalone file.
fn sniff(bytes: &[u8]) -> Result<bool, OpenError> {
    match bytes {
        [] => Err(OpenError::Empty),
        [0x1f, 0x8b, ..] => Err(OpenError::Compressed("gzip")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(OpenError::Compressed("xz")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(OpenError::Compressed("zstd")),
        [b'B', b'Z', b'h', ..] => Err(OpenError::Compressed("bzip2")),
        _ if bytes.starts_with(b"OVSDB JSON ") => Ok(false),
        _ if bytes.starts_with(b"OVSDB CLUSTER ") => Ok(true),
        _ => {
            let start = String::from_utf8_lossy(bytes.get(..32).unwrap_or(bytes)).into_owned();
            Err(OpenError::NotOvsdb { start })
        }
    }
}
