//! New files, in the standalone format of `ovsdb(5)`: what a private `ovsdb-server` can serve.

use std::io::Write as _;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::Database;
use crate::{Datum, Schema, Select, Uuid};

/// A standalone file in the making: a schema, and one transaction that inserts all rows.
///
/// ```
/// use ovsdb::{Database, Datum, NewFile};
///
/// let database = Database::open(std::fs::read("../../testdata/ovsdb/example.db")?)?;
/// let mut file = NewFile::new(database.schema());
/// let name = ("name", Datum::scalar("join"));
/// file.table("Logical_Switch", [("f0b5b1ea-9a5b-4e61-8a2c-0d0d6a6f0c11".parse()?, [name])]);
/// assert_eq!(Database::open(file.into_bytes())?.row_count("Logical_Switch")?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    /// The first record.
    schema: Vec<u8>,
    /// The transaction, without the brace that closes it.
    rows: Vec<u8>,
}

impl NewFile {
    /// A file of this schema, without rows.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        // A record is one line (`ovsdb(5)`), however the schema was written where it was read.
        let line: Value = serde_json::from_str(&schema.json).unwrap_or_default();
        Self {
            schema: line.to_string().into_bytes(),
            rows: br#"{"_comment":"rows of another file","_date":0"#.to_vec(),
        }
    }

    /// Adds all rows of a table, with the columns that do not hold their default. A table is added once.
    pub fn table<C, N>(&mut self, name: &str, rows: impl IntoIterator<Item = (Uuid, C)>)
    where
        C: IntoIterator<Item = (N, Datum)>,
        N: AsRef<str>,
    {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        self.put(format_args!(",{}:{{", json!(name)));
        for (at, (uuid, columns)) in rows.enumerate() {
            self.put(format_args!("{}\"{uuid}\":{{", if at > 0 { "," } else { "" }));
            for (at, (column, value)) in columns.into_iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                self.put(format_args!("{comma}{}:{}", json!(column.as_ref()), value.to_json()));
            }
            self.put(format_args!("}}"));
        }
        self.put(format_args!("}}"));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Nothing can go wrong: it is memory.
        _ = self.rows.write_fmt(text);
    }

    /// The file.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.put(format_args!("}}"));
        let mut file = Vec::with_capacity(self.schema.len() + self.rows.len() + 256);
        for mut record in [self.schema, self.rows] {
            record.push(b'\n');
            let hash: String = Sha1::digest(&record).iter().map(|byte| format!("{byte:02x}")).collect();
            _ = writeln!(file, "OVSDB JSON {} {hash}", record.len());
            file.append(&mut record);
        }
        file
    }
}

impl Database {
    /// The rows as they are at the end, as a new standalone file: of a clustered one, what `ovsdb-tool
    /// cluster-to-standalone` would make; of one that is cut short, what can be read. It has none of the history.
    #[must_use]
    pub fn to_standalone(&self) -> Vec<u8> {
        let mut file = NewFile::new(&self.schema);
        for table in &self.schema.tables {
            // The table is the schema's own.
            let Ok(rows) = self.select(&Select::from(table.name.as_str())) else { continue };
            let row = |row: crate::Row| {
                let columns: Vec<(String, Datum)> = table
                    .columns
                    .iter()
                    .filter_map(|column| {
                        let value = row.get(&column.name)?;
                        (*value != column.ty.default_datum()).then(|| (column.name.clone(), value.clone()))
                    })
                    .collect();
                (row.uuid, columns)
            };
            file.table(&table.name, rows.rows.into_iter().map(row));
        }
        file.into_bytes()
    }
}
