//! Compares what this crate prints for a real cluster's databases with what the clients of the same OVN version printed
//! (recorded in `testdata/capture/ovn-26.03-clients.tar.xz`).
//!
//! The clients print rows in the order of a hash table, so the tests sort the records and compare them byte by byte.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;

use ovsdb::{Condition, Database, Op, Row, Select, print};
use serde_json::Value;

struct RecordedDatabases {
    /// The name `<pod>/nbdb`, the database, and the recorded outputs of the clients by file name.
    databases: Vec<(String, Database, BTreeMap<String, String>)>,
}

fn recorded() -> RecordedDatabases {
    let printed = common::archive("ovn-26.03-clients.tar.xz", |path| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.starts_with("list_") || name.starts_with("find_") || name == "show"
    });
    let databases = common::databases()
        .into_iter()
        .map(|(name, bytes)| {
            let folder = format!("/{name}/");
            let files = printed
                .iter()
                .filter_map(|(path, bytes)| {
                    let (_, file) = path.split_once(&folder)?;
                    Some((file.to_owned(), String::from_utf8(bytes.clone()).unwrap()))
                })
                .collect();
            (name, Database::open(bytes).unwrap(), files)
        })
        .collect();
    RecordedDatabases { databases }
}

/// A column that `ovn-sbctl` adds: no database contains it, it is always 0, and it is printed after all others.
const SYNTHETIC: &str = "hash";

/// Returns the recorded list of a table, without the column that only the client has.
fn list_of<'a>(printed: &'a BTreeMap<String, String>, table: &str) -> Cow<'a, str> {
    let list = printed.get(&format!("list_{table}")).expect("every table was recorded");
    if table == "Logical_Flow" { list.replace("hash                : 0\n", "").into() } else { list.into() }
}

/// Returns the records of a list, sorted.
fn records(list: &str) -> Vec<&str> {
    let mut records: Vec<&str> = list.trim_end_matches('\n').split("\n\n").collect();
    records.sort_unstable();
    records
}

#[test]
fn lists_of_all_tables_equal_those_of_the_clients() {
    let mut compared = 0;
    for (name, database, printed) in recorded().databases {
        assert!(database.damage().is_none() && database.problems().is_empty(), "{name}");
        for table in &database.schema().tables {
            let list = list_of(&printed, &table.name);
            let rows = database.select(&Select::from(table.name.as_str())).unwrap();
            assert_eq!(rows.problems().count(), 0, "{name} {}", table.name);
            assert_eq!(rows.rows.len(), database.row_count(&table.name).unwrap());
            assert_eq!(records(&print::list(&rows, None)), records(&list), "{name} {}", table.name);
            compared += rows.rows.len();
        }
    }
    assert!(compared > 3000, "{compared}");
}

#[test]
fn lists_of_selected_columns_equal_those_of_the_clients() {
    for (name, database, printed) in recorded().databases {
        let (file, table, columns) = match name.ends_with("/nbdb") {
            true => ("list_Logical_Switch_Port_columns", "Logical_Switch_Port", vec!["name", "addresses"]),
            false => {
                ("list_Port_Binding_columns", "Port_Binding", vec!["logical_port", "tunnel_key", "chassis"])
            }
        };
        let rows = database.select(&Select::from(table).columns(columns)).unwrap();
        assert_eq!(records(&print::list(&rows, None)), records(&printed[file]), "{name}");
    }
}

#[test]
fn json_values_equal_those_of_the_clients() {
    for (name, database, printed) in recorded().databases {
        for table in &database.schema().tables {
            let json: Value = serde_json::from_str(&printed[&format!("list_{}.json", table.name)]).unwrap();
            let headings: Vec<&str> =
                json["headings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let rows = database.select(&Select::from(table.name.as_str())).unwrap();
            let data = json["data"].as_array().unwrap();
            assert_eq!(data.len(), rows.rows.len(), "{name} {}", table.name);
            for values in data.iter().filter_map(Value::as_array) {
                let uuid = values[0][1].as_str().unwrap().parse().unwrap();
                let row = rows.get(uuid).unwrap();
                for (heading, value) in
                    headings.iter().zip(values).filter(|(heading, _)| **heading != SYNTHETIC)
                {
                    assert_eq!(
                        &row.get(heading).unwrap().to_json(),
                        value,
                        "{name} {} {uuid} {heading}",
                        table.name
                    );
                }
            }
        }
    }
}

#[test]
fn conditions_find_the_same_rows_as_the_clients() {
    for (name, database, printed) in recorded().databases {
        let finds = match name.ends_with("/nbdb") {
            true => vec![
                ("find_LSP_namespace=shop", "Logical_Switch_Port", "external_ids:namespace", "shop"),
                ("find_ACL_action=drop", "ACL", "action", "drop"),
            ],
            false => vec![("find_Port_Binding_type=patch", "Port_Binding", "type", "patch")],
        };
        for (file, table, column, value) in finds {
            let schema = database.schema().find_table(table).unwrap();
            let condition = Condition::parse(schema, column, Op::Eq, value).unwrap();
            let rows = database.select(&Select::from(table).filter(condition)).unwrap();
            assert_eq!(records(&print::list(&rows, None)), records(&printed[file]), "{name} {file}");
        }
    }
}

#[test]
fn the_southbound_show_equals_that_of_the_client() {
    for (name, database, printed) in
        recorded().databases.into_iter().filter(|(name, ..)| name.ends_with("/sbdb"))
    {
        let selects = print::show_selects(print::OVN_SB_SHOW);
        let rows: Vec<_> = selects.iter().map(|select| database.select(select).unwrap()).collect();
        assert_eq!(blocks(&print::show(print::OVN_SB_SHOW, &rows)), blocks(&printed["show"]), "{name}");
    }
}

/// Returns the blocks of a show. It sorts the blocks and their port bindings, because the clients print both in hash
/// order.
fn blocks(show: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in show.lines() {
        if !line.starts_with(' ') {
            blocks.push(Vec::new());
        }
        blocks.last_mut().unwrap().push(line);
    }
    for block in &mut blocks {
        let start = block.iter().position(|line| line.starts_with("    Port_Binding")).unwrap_or(block.len());
        block[start..].sort_unstable();
    }
    blocks.sort();
    blocks
}

#[test]
fn typed_access_reads_the_columns_of_a_row() {
    let (_, database, _) =
        recorded().databases.into_iter().find(|(name, ..)| name.ends_with("/sbdb")).unwrap();
    let chassis =
        database.select(&Select::from("Chassis").filter(Condition::is("hostname", "ovn-worker"))).unwrap();
    let [row] = chassis.rows.as_slice() else { panic!("{chassis:?}") };
    assert_eq!(row.map_get("other_config", "is-remote"), Some("true"));
    assert_eq!(row.int("nb_cfg"), Some(0));
    assert_eq!(row.strings("transport_zones").count(), 0);
    let encap = database.get("Encap", row.refs("encaps").next().unwrap()).unwrap().unwrap();
    assert_eq!(encap.text("ip"), Some("172.18.0.3"));
    assert_eq!(encap.get("_uuid").and_then(|id| id.single()?.as_uuid()), Some(encap.uuid));
    assert_eq!(encap.get("no_such_column"), None);
    let by_uuid = database.select(&Select::by_uuid("Encap", encap.uuid)).unwrap();
    assert_eq!(by_uuid.rows, [encap]);
    let bound = |row: &Row| row.refs("chassis").next() == Some(chassis.rows[0].uuid);
    let of_chassis = Condition::includes("chassis", row.uuid);
    let bindings = database.select(&Select::from("Port_Binding").filter(of_chassis)).unwrap();
    let all = database.select(&Select::from("Port_Binding")).unwrap();
    assert!(!bindings.rows.is_empty());
    assert_eq!(
        bindings.rows.iter().collect::<Vec<_>>(),
        all.rows.iter().filter(|row| bound(row)).collect::<Vec<_>>()
    );
}
