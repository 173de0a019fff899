//! One pass over a transaction's JSON that notes where each row's text lies, and parses no row.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::record::range_in;
use crate::decode::cut;
use crate::{Schema, Uuid};

/// What one transaction record says, in the places where it says it.
#[derive(Default)]
pub(crate) struct Scan {
    /// `_date` as written.
    pub(crate) date: Option<i64>,
    /// Whether sets and maps are written as differences.
    pub(crate) is_diff: bool,
    /// `_comment`, still in JSON.
    pub(crate) comment: Option<Range<usize>>,
    /// For each table of the schema, by its place there: the rows written.
    pub(crate) rows: Vec<(usize, Uuid, Range<usize>)>,
    /// What the schema has no place for.
    pub(crate) problems: Vec<String>,
}

/// Scans the text of a transaction, which begins at `base` of the file.
pub(crate) fn scan(text: &str, base: usize, schema: &Schema) -> Result<Scan, serde_json::Error> {
    let mut found = Scan::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(Transaction { text, base, schema, found: &mut found })?;
    parser.end()?;
    Ok(found)
}

/// A member's name, borrowed unless it holds an escape.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Transaction<'s> {
    text: &'s str,
    base: usize,
    schema: &'s Schema,
    found: &'s mut Scan,
}

impl<'de> Visitor<'de> for Transaction<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transaction")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = members.next_key()? {
            match name.as_ref() {
                "_date" => self.found.date = members.next_value::<Value>()?.as_i64(),
                "_is_diff" => self.found.is_diff = members.next_value::<Value>()? == Value::Bool(true),
                "_comment" => {
                    let comment: &RawValue = members.next_value()?;
                    self.found.comment = Some(range_in(self.text, comment.get(), self.base));
                }
                table => match self.schema.table_index(table) {
                    Some(table) => members.next_value_seed(Table {
                        table,
                        text: self.text,
                        base: self.base,
                        found: &mut *self.found,
                    })?,
                    None => {
                        members.next_value::<IgnoredAny>()?;
                        // Other members with an underscore are notes (`ovsdb(5)`), and no tables.
                        if !table.starts_with('_') {
                            self.found.problems.push(format!("table {table:?} is not in the schema"));
                        }
                    }
                },
            }
        }
        Ok(())
    }
}

struct Table<'s> {
    table: usize,
    text: &'s str,
    base: usize,
    found: &'s mut Scan,
}

impl<'de> DeserializeSeed<'de> for Table<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Table<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows of a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = members.next_key()? {
            let row: &RawValue = members.next_value()?;
            let text = row.get();
            match name.parse::<Uuid>() {
                Ok(uuid) if text.starts_with('{') || text == "null" => {
                    self.found.rows.push((self.table, uuid, range_in(self.text, text, self.base)));
                }
                Ok(uuid) => self.found.problems.push(format!("row {uuid} is {}", cut(text))),
                Err(error) => self.found.problems.push(format!("a row's name is {error}")),
            }
        }
        Ok(())
    }
}

/// The columns of one row's text, each with the text of its value. A text that is no object has none.
pub(crate) fn columns<'a>(row: &'a str, mut each: impl FnMut(&str, &'a str)) {
    struct Columns<F>(F);

    impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Columns<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the columns of a row")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
            while let Some(Name(name)) = members.next_key()? {
                let value: &'de RawValue = members.next_value()?;
                (self.0)(&name, value.get());
            }
            Ok(())
        }
    }

    // The text was scanned when the file was opened: what is no object then holds no columns now.
    let _ = serde_json::Deserializer::from_str(row).deserialize_map(Columns(&mut each));
}
