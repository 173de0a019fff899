//! Creates new files in the standalone format of `ovsdb(5)`, for example to serve them with a private `ovsdb-server`.

use std::io::Write as _;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::Database;
use crate::{Datum, Schema, Select, Uuid};

/// A new standalone file: a schema, and one transaction that inserts all rows.
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
    /// The first record: the schema.
    schema: Vec<u8>,
    /// The transaction, without its closing brace.
    rows: Vec<u8>,
}

impl NewFile {
    /// Creates a file with this schema and without rows.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        // A record is one line (`ovsdb(5)`), but the schema may come from a text with several lines.
        let line: Value = serde_json::from_str(&schema.json).unwrap_or_default();
        Self {
            schema: line.to_string().into_bytes(),
            rows: br#"{"_comment":"rows of another file","_date":0"#.to_vec(),
        }
    }

    /// Adds all rows of a table with their columns. Columns with their default value can be left out. Call this once
    /// for each table.
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
        // Writing to memory cannot fail.
        _ = self.rows.write_fmt(text);
    }

    /// Returns the bytes of the file.
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
    /// Returns a new standalone file with the rows after the last transaction, and without the history. For a clustered
    /// file the result is that of `ovsdb-tool cluster-to-standalone`. For a truncated file it contains the rows that
    /// can be read.
    #[must_use]
    pub fn to_standalone(&self) -> Vec<u8> {
        let mut file = NewFile::new(&self.schema);
        for table in &self.schema.tables {
            // This cannot fail, because the table comes from the schema.
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
