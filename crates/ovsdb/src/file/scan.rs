//! One pass over a transaction's JSON that records the position of each row's text, without parsing rows.

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

/// The contents of one transaction record: its date and flags, and the positions of its comment and rows.
#[derive(Default)]
pub(crate) struct ScannedTransaction {
    /// The value of `_date` as written.
    pub(crate) date: Option<i64>,
    /// Whether sets and maps are written as differences.
    pub(crate) is_diff: bool,
    /// The range of `_comment`, which is JSON.
    pub(crate) comment: Option<Range<usize>>,
    /// The rows that were written: the index of the table in the schema, the UUID, and the range of the text.
    pub(crate) rows: Vec<(usize, Uuid, Range<usize>)>,
    /// The parts that do not fit the schema.
    pub(crate) problems: Vec<String>,
}

/// Scans the text of a transaction. `base` is its offset in the file.
pub(crate) fn scan(
    text: &str,
    base: usize,
    schema: &Schema,
) -> Result<ScannedTransaction, serde_json::Error> {
    let mut found = ScannedTransaction::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(TransactionVisitor { text, base, schema, found: &mut found })?;
    parser.end()?;
    Ok(found)
}

/// The name of a member, borrowed unless it contains an escape.
#[derive(Deserialize)]
#[serde(transparent)]
struct MemberName<'a>(#[serde(borrow)] Cow<'a, str>);

struct TransactionVisitor<'s> {
    text: &'s str,
    base: usize,
    schema: &'s Schema,
    found: &'s mut ScannedTransaction,
}

impl<'de> Visitor<'de> for TransactionVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transaction")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(MemberName(name)) = members.next_key()? {
            match name.as_ref() {
                "_date" => self.found.date = members.next_value::<Value>()?.as_i64(),
                "_is_diff" => self.found.is_diff = members.next_value::<Value>()? == Value::Bool(true),
                "_comment" => {
                    let comment: &RawValue = members.next_value()?;
                    self.found.comment = Some(range_in(self.text, comment.get(), self.base));
                }
                table => match self.schema.table_index(table) {
                    Some(table) => members.next_value_seed(TableVisitor {
                        table,
                        text: self.text,
                        base: self.base,
                        found: &mut *self.found,
                    })?,
                    None => {
                        members.next_value::<IgnoredAny>()?;
                        // Other members with an underscore are annotations and not tables (`ovsdb(5)`).
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

struct TableVisitor<'s> {
    table: usize,
    text: &'s str,
    base: usize,
    found: &'s mut ScannedTransaction,
}

impl<'de> DeserializeSeed<'de> for TableVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TableVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows of a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(MemberName(name)) = members.next_key()? {
            let row: &RawValue = members.next_value()?;
            let text = row.get();
            match name.parse::<Uuid>() {
                Ok(uuid) if text.starts_with('{') || text == "null" => {
                    self.found.rows.push((self.table, uuid, range_in(self.text, text, self.base)));
                }
                Ok(uuid) => self.found.problems.push(format!("row {uuid} is not an object: {}", cut(text))),
                Err(error) => self.found.problems.push(format!("the name of a row is {error}")),
            }
        }
        Ok(())
    }
}

/// Calls `each` for every column of a row's text, with the text of its value. Does nothing if the text is not an
/// object.
pub(crate) fn columns<'a>(row: &'a str, mut each: impl FnMut(&str, &'a str)) {
    struct Columns<F>(F);

    impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Columns<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the columns of a row")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
            while let Some(MemberName(name)) = members.next_key()? {
                let value: &'de RawValue = members.next_value()?;
                (self.0)(&name, value.get());
            }
            Ok(())
        }
    }

    // Opening the file scanned this text, so an error here only means that the text is not an object.
    let _ = serde_json::Deserializer::from_str(row).deserialize_map(Columns(&mut each));
}
