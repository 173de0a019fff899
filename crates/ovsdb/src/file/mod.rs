//! Database files: opened once, read where asked.
//!
//! The file stays in memory as it is. Opening it notes, in one pass, where the text of each row lies; a select then
//! parses only the rows that can match, and of these only the columns that it needs.

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

pub use history::{Change, ChangeKind, RowChange, Transaction};
pub use raft::Clustered;
pub use record::{Damage, DamageReason};
pub use write::NewFile;

pub(crate) use scan::columns as each_column;

use index::Index;
use record::Text;

/// An OVSDB file: standalone or clustered, whole or cut short.
#[derive(Debug)]
pub struct Database {
    text: String,
    file_len: usize,
    kind: Kind,
    schema: Arc<Schema>,
    index: Index,
    damage: Option<Damage>,
    edited: bool,
    /// Whether the file has one way to spell a string: nothing as `\u` and no slash as `\/`. OVSDB's own files,
    /// nearly always.
    plain: bool,
}

/// The two formats of `ovsdb(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole database of one server.
    Standalone,
    /// One server's log of a database shared by a cluster.
    Clustered(Box<Clustered>),
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// It has to be unpacked first.
    #[error("the file is compressed with {0}")]
    Compressed(&'static str),
    /// It begins as no OVSDB file does.
    #[error("not an OVSDB file: it begins with {start:?}")]
    NotOvsdb {
        /// Its first bytes, those that are no text replaced.
        start: String,
    },
    /// The first record cannot be read, and with it the schema.
    #[error("the first record, which holds the schema, cannot be read")]
    FirstRecord(#[source] Damage),
    /// The first record holds no schema that can be understood.
    #[error("the schema cannot be read")]
    Schema(#[source] SchemaError),
    /// The server had been told to join a cluster and had not yet (`ovsdb(5)`, "Joining a Cluster").
    #[error("the file has no data yet: server {server_id} was to join the cluster of {name} at {}", remotes.join(", "))]
    NotJoined {
        /// The database's name.
        name: String,
        /// The server's own UUID.
        server_id: String,
        /// The addresses that it was to join at.
        remotes: Vec<String>,
    },
}

impl Database {
    /// Reads a file from its bytes, which are kept as they are.
    ///
    /// A file whose end is damaged is opened up to there; see [`Database::damage`].
    ///
    /// # Errors
    /// When there is no schema to be read: the file is empty, compressed or something else, or its first record is
    /// damaged.
    pub fn open(bytes: impl Into<Vec<u8>>) -> Result<Self, OpenError> {
        Self::load(bytes.into(), false)
    }

    /// Reads a file whose records were edited as text after they were written, as `sos clean` does with every address
    /// and name: their lengths and checksums are not looked at. What is damaged is read too, as long as it is JSON, so
    /// this is for files that are known to be edited.
    ///
    /// # Errors
    /// As for [`Database::open`].
    pub fn open_edited(bytes: impl Into<Vec<u8>>) -> Result<Self, OpenError> {
        Self::load(bytes.into(), true)
    }

    fn load(bytes: Vec<u8>, edited: bool) -> Result<Self, OpenError> {
        let clustered = sniff(&bytes)?;
        let file = Text::new(bytes, edited);
        let (kind, schema, index, damage) =
            if clustered { raft::load(&file) } else { standalone::load(&file) }?;
        let Text { text, file_len, .. } = file;
        let lacks = |spelling: &[u8]| memchr::memmem::find(text.as_bytes(), spelling).is_none();
        let plain = lacks(b"\\u") && lacks(b"\\/");
        Ok(Self { text, file_len, kind, schema, index, damage, edited, plain })
    }

    /// The schema, as the file holds it.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Which of the two formats the file has, and what a clustered one says of its cluster.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Where and why the file could not be read further, if it could not.
    #[must_use]
    pub const fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Was it read by [`Database::open_edited`]?
    #[must_use]
    pub const fn is_edited(&self) -> bool {
        self.edited
    }

    /// What transactions hold that the schema has no place for, as tables that it does not have.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.index.problems
    }

    /// The length of the file in bytes.
    #[must_use]
    pub const fn file_len(&self) -> usize {
        self.file_len
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn row_count(&self, table: &str) -> Result<usize, UnknownTable> {
        Ok(self.index.table(self.table_index(table)?).live)
    }

    /// The rows that meet the select, in order of their UUIDs.
    ///
    /// # Errors
    /// When the table or a column that it names is not in the schema.
    pub fn select(&self, select: &Select) -> Result<Rows, SelectError> {
        let table = self.table_index(&select.table)?;
        read::select(self, table, select)
    }

    /// The row of this UUID with all its columns; nothing when the table does not have it.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn get(&self, table: &str, uuid: Uuid) -> Result<Option<Row>, UnknownTable> {
        let table = self.table_index(table)?;
        Ok(read::row(self, table, uuid, self.index.table(table).fragments_of(uuid)))
    }

    fn table_index(&self, name: &str) -> Result<usize, UnknownTable> {
        match self.schema.table_index(name) {
            Some(at) => Ok(at),
            // Only an exact name is an answer here; the error carries the names that exist.
            None => Err(self.schema.unknown_table(name)),
        }
    }
}

/// Whether the bytes are those of a clustered (true) or a standalone file.
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
