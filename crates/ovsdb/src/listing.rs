//! Parses the output of a client's `list` into rows, for sources that do not contain the database itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::{atom, datum, split_pair, words};
use crate::{AtomType, BaseType, ColumnSchema, ColumnType, Row, Rows, Schema, TableSchema, Uuid};

/// A table that was parsed from the output of `list`.
///
/// The output does not contain the schema. Therefore the type of a column is the narrowest type of all its values, and
/// no UUID has a table that it refers to.
#[derive(Clone, Debug)]
pub struct Listing {
    /// A schema with this table only.
    pub schema: Schema,
    /// The rows. A value that could not be parsed is among the problems of its row.
    pub rows: Rows,
    /// The lines that are not a column of a record.
    pub other: Vec<String>,
}

impl Listing {
    /// Parses the output of `list` for a table of a database.
    #[must_use]
    pub fn parse(database: &str, table: &str, text: &str) -> Self {
        let (mut records, mut other) = (Vec::new(), Vec::new());
        for block in text.split("\n\n") {
            let mut record = BTreeMap::new();
            for line in block.lines().filter(|line| !line.trim().is_empty()) {
                match line.split_once(':').map(|(column, value)| (column.trim(), value.trim())) {
                    Some((column, value)) if is_name(column) => _ = record.insert(column, value),
                    _ => other.push(line.to_owned()),
                }
            }
            match record.remove("_uuid").and_then(|uuid| uuid.parse::<Uuid>().ok()) {
                Some(uuid) => records.push((uuid, record)),
                None => other.extend(record.iter().map(|(column, value)| format!("{column}: {value}"))),
            }
        }
        records.sort_by_key(|(uuid, _)| *uuid);
        let mut types: BTreeMap<&str, Option<ColumnType>> = BTreeMap::new();
        for (column, value) in records.iter().flat_map(|(_, record)| record) {
            let known = types.entry(column).or_default();
            *known = Some(match known.take() {
                Some(ty) => wider(&ty, &type_of(value)),
                None => type_of(value),
            });
        }
        let column = |(name, ty): (&str, Option<ColumnType>)| {
            Some(ColumnSchema { name: name.to_owned(), ty: ty?, ephemeral: false, mutable: true })
        };
        let table = Arc::new(TableSchema {
            name: table.to_owned(),
            columns: types.into_iter().filter_map(column).collect(),
            is_root: true,
            max_rows: None,
            indexes: Vec::new(),
        });
        let row = |(uuid, record): (Uuid, BTreeMap<&str, &str>)| {
            let mut row = Row::new(&table, uuid);
            for (at, column) in table.columns.iter().enumerate() {
                let value = record.get(column.name.as_str()).map(|value| (value, datum(value, &column.ty)));
                match value {
                    Some((_, Ok(value))) => row.set(at, Some(value)),
                    Some((value, Err(reason))) => row.problems.push(crate::Problem {
                        column: column.name.clone(),
                        found: (*value).to_owned(),
                        reason,
                    }),
                    None => {}
                }
            }
            row
        };
        let rows = records.into_iter().map(row).collect();
        let schema = Schema {
            name: database.to_owned(),
            version: String::new(),
            cksum: None,
            tables: vec![Arc::clone(&table)],
            json: "".into(),
        };
        Self { schema, rows: Rows { table, columns: None, rows }, other }
    }
}

impl Rows {
    /// Copies the values of the wanted columns from the rows with the same UUIDs in a listing. This is for ephemeral
    /// columns, which a file does not contain.
    pub fn fill(&mut self, listed: &Rows, wanted: impl Fn(&ColumnSchema) -> bool) {
        let columns: Vec<(usize, &ColumnSchema)> =
            self.table.columns.iter().enumerate().filter(|(_, column)| wanted(column)).collect();
        for row in &mut self.rows {
            let Some(from) = listed.get(row.uuid) else { continue };
            for (at, column) in &columns {
                if let Some(value) = from.get(&column.name) {
                    row.set(*at, Some(value.clone()));
                }
            }
        }
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the narrowest type of a value. The element type of an empty set or map is not known, and `max` is 0 then.
fn type_of(value: &str) -> ColumnType {
    let inner = |open, close| value.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    let of = |words: &mut dyn Iterator<Item = &str>| words.map(kind).reduce(common);
    let many = |key: Option<AtomType>, value| ColumnType {
        key: BaseType::plain(key.unwrap_or(AtomType::String)),
        value,
        min: 0,
        max: if key.is_some() { usize::MAX } else { 0 },
    };
    if let Some(inside) = inner('{', '}') {
        let pairs: Vec<(&str, &str)> =
            words(inside).unwrap_or_default().into_iter().filter_map(split_pair).collect();
        let values = of(&mut pairs.iter().map(|(_, value)| *value)).unwrap_or(AtomType::String);
        return many(of(&mut pairs.iter().map(|(key, _)| *key)), Some(BaseType::plain(values)));
    }
    match inner('[', ']') {
        Some(inside) => many(of(&mut words(inside).unwrap_or_default().into_iter()), None),
        None => ColumnType { key: BaseType::plain(kind(value)), value: None, min: 0, max: 1 },
    }
}

/// Returns the narrowest type that includes both types.
fn wider(a: &ColumnType, b: &ColumnType) -> ColumnType {
    match (a.max, b.max) {
        // `max` is 0 if only empty sets were seen, so the other type decides.
        (0, _) => b.clone(),
        (_, 0) => a.clone(),
        _ => {
            let value = a.value.as_ref().zip(b.value.as_ref());
            ColumnType {
                key: BaseType::plain(common(a.key.kind, b.key.kind)),
                value: value.map(|(a, b)| BaseType::plain(common(a.kind, b.kind))),
                min: 0,
                max: a.max.max(b.max),
            }
        }
    }
}

fn common(a: AtomType, b: AtomType) -> AtomType {
    match (a, b) {
        (a, b) if a == b => a,
        (AtomType::Integer, AtomType::Real) | (AtomType::Real, AtomType::Integer) => AtomType::Real,
        _ => AtomType::String,
    }
}

fn kind(word: &str) -> AtomType {
    let kinds = [AtomType::Boolean, AtomType::Integer, AtomType::Real, AtomType::Uuid];
    let is = |kind: &AtomType| atom(word, &BaseType::plain(*kind)).is_ok();
    kinds.into_iter().find(is).unwrap_or(AtomType::String)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "_uuid               : f17c827f-2693-4f8e-8cfa-93fee32ad5d4\nexternal_ids        : {iface-id=shop_web, sandbox=\"3ea5\"}\nmtu                 : 1400\nmtu_request         : []\nname                : \"3ea5\"\nstatistics          : {rx_bytes=92384}\n\n\
        _uuid               : 027c827f-2693-4f8e-8cfa-93fee32ad5d4\nexternal_ids        : {}\nmtu                 : []\nmtu_request         : []\nname                : eth0\nstatistics          : {}\n";

    #[test]
    fn a_listing_has_typed_rows() {
        let listing = Listing::parse("Open_vSwitch", "Interface", TEXT);
        let names: Vec<_> = listing.rows.rows.iter().map(|row| row.text("name")).collect();
        assert_eq!(names, [Some("eth0"), Some("3ea5")]);
        let pod = &listing.rows.rows[1];
        assert_eq!((pod.int("mtu"), pod.map_get("external_ids", "sandbox")), (Some(1400), Some("3ea5")));
        assert_eq!(listing.other, Vec::<String>::new());
        let condition = crate::Condition::parse(&listing.rows.table, "mtu", crate::Op::Gt, "1000").unwrap();
        assert!(condition.matches(pod) && !condition.matches(&listing.rows.rows[0]));
        assert_eq!(crate::print::list(&listing.rows, None).matches(": []").count(), 3);
        let odd = Listing::parse("Open_vSwitch", "Interface", "ovs-vsctl: no key\nname : x\n");
        assert_eq!((odd.rows.rows.len(), odd.other.len()), (0, 2));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(_uuid : f17c827f-2693-4f8e-8cfa-93fee32ad5d4\n|a : [\\[{\"]?[a-z0-9=,\" ]{0,9}[\\]}\"]?\n|\n){0,12}|.*") {
            let listing = Listing::parse("x", "y", &text);
            prop_assert!(listing.rows.rows.len() + listing.other.len() <= text.lines().count());
        }
    }
}
