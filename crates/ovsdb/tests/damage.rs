//! Truncated, damaged and hostile files: the readable parts are read, the other parts are reported, and nothing panics.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use std::path::Path;

use common::read_all;
use ovsdb::{Condition, DamageReason, Database, FileFormat, Op, OpenError, Rows, Select, print};
use proptest::prelude::*;
use sha1::{Digest as _, Sha1};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/ovsdb").join(name)).unwrap()
}

/// Returns a record in the format of `ovsdb(5)`.
fn record(magic: &str, json: &str) -> String {
    let body = format!("{json}\n");
    let hash: String = Sha1::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("OVSDB {magic} {} {hash}\n{body}", body.len())
}

const SCHEMA: &str = r#"{"name":"Small","version":"1.0.0","tables":{"T":{"columns":{
    "name":{"type":"string"},"n":{"type":"integer"},"set":{"type":{"key":"string","min":0,"max":"unlimited"}}}}}}"#;
const A: &str = "00000000-0000-0000-0000-00000000000a";
const B: &str = "00000000-0000-0000-0000-00000000000b";

fn small(transactions: &[&str]) -> String {
    let records = transactions.iter().map(|json| record("JSON", json));
    std::iter::once(record("JSON", SCHEMA)).chain(records).collect()
}

fn rows(file: &str) -> Rows {
    Database::open(file).unwrap().select(&Select::from("T")).unwrap()
}

/// Returns the ends of the records of a file, from the lengths in their headers.
fn boundaries(file: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let line = file[at..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
        let header = std::str::from_utf8(&file[at..at + line]).unwrap();
        at += line + header.split(' ').nth(2).unwrap().parse::<usize>().unwrap();
        ends.push(at);
    }
    ends
}

/// Opens a file that is truncated at `at`, and compares it with a file of its complete records.
fn check_cut(file: &[u8], ends: &[usize], at: usize) {
    let whole = ends.iter().copied().rfind(|&end| end <= at).unwrap_or(0);
    match Database::open(&file[..at]) {
        Ok(cut) => {
            let intact = Database::open(&file[..whole]).unwrap();
            assert!(intact.damage().is_none());
            let told = cut.damage().map(|damage| (damage.offset, damage.bytes_left));
            assert_eq!(told, (at > whole).then_some((whole, at - whole)), "cut at {at}");
            assert_eq!(cut.transactions().len(), intact.transactions().len());
            assert_eq!(read_all(&cut), read_all(&intact), "cut at {at}");
        }
        Err(error) => assert_eq!(whole, 0, "cut at {at}: {error}"),
    }
}

#[test]
fn a_truncated_file_is_read_up_to_its_last_complete_record() {
    for file in [common::northbound(), fixture("clustered.db")] {
        let ends = boundaries(&file);
        assert_eq!(*ends.last().unwrap(), file.len());
        let mut last = 0;
        for &end in &ends {
            let database = Database::open(&file[..end]).unwrap();
            assert!(database.damage().is_none(), "cut at {end}");
            assert!(database.transactions().len() >= last);
            last = database.transactions().len();
        }
        let mut state: u64 = 20_261_122;
        for _ in 0..200 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            check_cut(&file, &ends, usize::try_from(state >> 33).unwrap() % file.len());
        }
    }
}

#[test]
fn the_reason_of_damage_is_reported() {
    let transaction = format!(r#"{{"T":{{"{A}":{{"name":"a"}}}}}}"#);
    let good = small(&[&transaction]);
    let reason = |file: Vec<u8>| {
        let database = Database::open(file).unwrap();
        assert_eq!(database.row_count("T").unwrap(), 1);
        let damage = database.damage().unwrap();
        assert_eq!(damage.offset, good.len());
        damage.reason.to_string()
    };
    let second = record("JSON", &format!(r#"{{"T":{{"{B}":{{"name":"b"}}}}}}"#));
    let with = |tail: &[u8]| [good.as_bytes(), tail].concat();
    assert_eq!(reason(with(b"garbage\n")), "no record begins here");
    assert_eq!(reason(with(second.replace("JSON", "CLUSTER").as_bytes())), "no record begins here");
    assert_eq!(reason(with(b"OVSDB JSON 18446744073709551615 0\n")), "no record begins here");
    assert_eq!(reason(with(second.replace("\"b\"", "\"c\"").as_bytes())), "the checksum does not match");
    let short = &second.as_bytes()[..second.len() - 10];
    assert!(reason(with(short)).starts_with("the record is truncated: "));
    let mut not_text = second.clone().into_bytes();
    *not_text.last_mut().unwrap() = 0xff;
    let offset = good.len() + not_text.len() - 1;
    assert_eq!(reason(with(&not_text)), format!("the bytes at offset {offset} are not UTF-8"));
    for json in ["[]", "{\"T\":[]}", "{\"T\":", "{} {}", "null", &"[".repeat(100_000)] {
        assert_eq!(reason(with(record("JSON", json).as_bytes())), "the record is not valid JSON");
    }
}

/// `sos clean` edits a file like this: it replaces text and does not change lengths and checksums.
#[test]
fn an_edited_file_is_read_without_its_lengths_and_checksums() {
    for name in ["example.db", "clustered.db"] {
        let original = fixture(name);
        let whole = Database::open(original.clone()).unwrap();
        let edited = String::from_utf8(original).unwrap().replace(r#""name":"#, r#""name" : "#);
        let strict = Database::open(edited.clone().into_bytes());
        assert!(
            strict.is_err() || strict.is_ok_and(|strict| strict.damage().is_some() && !strict.is_edited())
        );
        let database = Database::open_edited(edited).unwrap();
        assert!(database.damage().is_none() && database.is_edited());
        for table in &whole.schema().tables {
            let rows = |database: &Database| database.row_count(&table.name).unwrap();
            assert_eq!(rows(&whole), rows(&database), "{name}: {}", table.name);
        }
    }
}

#[test]
fn files_without_a_readable_schema_are_rejected() {
    let error = |bytes: &[u8]| Database::open(bytes).unwrap_err();
    assert_eq!(error(b"").to_string(), "the file is empty");
    assert_eq!(error(&[0x1f, 0x8b, 8, 0]).to_string(), "the file is compressed with gzip");
    assert_eq!(
        error(b"hello\xff world").to_string(),
        "not an OVSDB file: it begins with \"hello\u{fffd} world\""
    );
    let huge = b"OVSDB JSON 9999999999999 0000000000000000000000000000000000000000\n{}\n";
    match error(huge) {
        OpenError::FirstRecord(damage) => {
            assert!(matches!(damage.reason, DamageReason::Short { length: 9_999_999_999_999, present: 3 }));
        }
        other => panic!("{other}"),
    }
    for (schema, expected) in [
        (r#"{"name":"X","tables":[]}"#, "tables of the schema must be an object"),
        (r#"{"tables":{}}"#, "name of the schema must be a string"),
        (
            r#"{"name":"X","tables":{"T":{"columns":{"c":{"type":"blob"}}}}}"#,
            "tables.T.columns.c.type of the schema must be an atomic type",
        ),
    ] {
        match error(record("JSON", schema).as_bytes()) {
            OpenError::Schema(error) => assert_eq!(error.to_string(), expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn values_that_do_not_fit_are_reported_and_the_rest_is_read() {
    let file = small(&[
        &format!(
            r#"{{"T":{{"{A}":{{"name":7,"n":"x","set":["set",["b"]],"later":true}},"{B}":{{"name":"fine"}},"bad":{{}},"00000000-0000-0000-0000-00000000000c":[5]}}}}"#
        ),
        &format!(
            r#"{{"Later":{{"{A}":{{}}}},"T":{{"{A}":{{"set":["set",["a"]]}}}},"_is_diff":true,"_note":1}}"#
        ),
    ]);
    let database = Database::open(file.as_str()).unwrap();
    assert_eq!(
        database.problems(),
        [
            "record 1: the name of a row is not a UUID of 36 characters: \"bad\"",
            "record 1: row 00000000-0000-0000-0000-00000000000c is not an object: [5]",
            "record 2: table \"Later\" is not in the schema"
        ],
    );
    let rows = rows(&file);
    let list = print::list(&rows, Some(&["name", "n", "set"]));
    assert_eq!(
        list,
        "name                : 7\nn                   : x\nset                 : [a, b]\n\n\
         name                : fine\nn                   : 0\nset                 : []\n",
    );
    let problems: Vec<String> = rows.problems().map(|(_, problem)| problem.to_string()).collect();
    assert_eq!(
        problems,
        [
            "column name: integer 7 instead of string in 7",
            "column n: string \"x\" instead of integer in \"x\"",
            "column later: the schema has no such column in true",
        ],
    );
}

#[test]
fn transactions_without_differences_are_read() {
    let file = small(&[
        &format!(r#"{{"T":{{"{A}":{{"name":"a","set":["set",["x","y"]]}}}},"_date":1262304000}}"#),
        &format!(r#"{{"T":{{"{A}":{{"set":"z"}}}},"_comment":"z \"only\""}}"#),
        &format!(r#"{{"T":{{"{A}":null,"{B}":{{"name":"b"}}}}}}"#),
        &format!(r#"{{"T":{{"{A}":{{"n":4}}}}}}"#),
    ]);
    let rows = rows(&file);
    assert_eq!(
        print::list(&rows, Some(&["name", "n"])),
        "name                : \"\"\nn                   : 4\n\nname                : b\nn                   : 0\n"
    );
    let database = Database::open(file).unwrap();
    let transactions: Vec<_> = database.transactions().collect();
    assert_eq!(
        transactions[0].date_ms(),
        Some(1_262_304_000_000),
        "a date in seconds is converted to milliseconds"
    );
    assert_eq!(transactions[1].comment().as_deref(), Some("z \"only\""));
    let change = transactions[1].row("T", A.parse().unwrap()).unwrap();
    assert_eq!(change.columns().collect::<Vec<_>>(), ["set"]);
    let set =
        |row: &Option<ovsdb::Row>| row.as_ref().map(|row| row.strings("set").collect::<Vec<_>>().join(","));
    assert_eq!((set(&change.before), set(&change.after)), (Some("x,y".to_owned()), Some("z".to_owned())));
    let change = transactions[2].row("T", A.parse().unwrap()).unwrap();
    assert!(change.before.is_some() && change.after.is_none());
    let kinds: Vec<String> = transactions
        .iter()
        .flat_map(|transaction| transaction.changes())
        .map(|change| format!("{:?} {}", change.kind, change.columns.join(",")))
        .collect();
    assert_eq!(kinds, ["Insert name,set", "Modify set", "Delete ", "Insert name", "Insert n"]);
}

#[test]
fn strings_are_found_in_every_spelling() {
    for spelled in [r#""a/b\"c""#, r#""a\/b\"c""#, r#""\u0061/b\u0022c""#] {
        let file = small(&[&format!(r#"{{"T":{{"{A}":{{"name":{spelled}}}}}}}"#)]);
        let database = Database::open(file).unwrap();
        let select = Select::from("T").filter(Condition::is("name", "a/b\"c"));
        assert_eq!(database.select(&select).unwrap().rows.len(), 1, "{spelled}");
    }
}

#[test]
fn uncommitted_entries_are_left_out_if_the_commit_index_is_known() {
    let header = format!(
        r#"{{"server_id":"{A}","local_address":"tcp:192.0.2.1:6643","name":"Small","cluster_id":"{B}","prev_term":1,"prev_index":1,"prev_servers":{{"{A}":"tcp:192.0.2.1:6643"}},"prev_data":[{SCHEMA},{{}}],"prev_eid":"{A}"}}"#
    );
    let entry = |index: u32, term: u32, name: &str| {
        format!(
            r#"{{"term":{term},"index":{index},"data":[null,{{"T":{{"{A}":{{"name":"{name}"}}}}}}],"eid":"{B}"}}"#
        )
    };
    let open = |records: &[String]| {
        let records = records.iter().map(|json| record("CLUSTER", json));
        let file: String = std::iter::once(record("CLUSTER", &header)).chain(records).collect();
        let database = Database::open(file).unwrap();
        let rows = database.select(&Select::from("T")).unwrap();
        let name = rows.rows.first().and_then(|row| row.text("name")).unwrap_or_default().to_owned();
        match database.kind() {
            FileFormat::Clustered(cluster) => (name, cluster.not_known_committed, cluster.commit_index),
            FileFormat::Standalone => panic!("a clustered file"),
        }
    };
    let commit = |index: u32| format!(r#"{{"commit_index":{index}}}"#);
    let name = |name: &str| name.to_owned();
    assert_eq!(open(&[entry(2, 1, "a"), commit(2)]), (name("a"), 0, Some(2)));
    assert_eq!(open(&[entry(2, 1, "a"), commit(2), entry(3, 1, "b")]), (name("a"), 1, Some(2)));
    assert_eq!(open(&[entry(2, 1, "a"), entry(3, 1, "b")]), (name("b"), 2, None));
    // The entries of the next leader replace those of a leader that lost its term.
    let replaced = [entry(2, 1, "a"), entry(3, 1, "b"), entry(2, 2, "c"), commit(2)];
    assert_eq!(open(&replaced), (name("c"), 0, Some(2)));
    let huge = r#"{"term":-1,"index":-1,"commit_index":-1}"#.to_owned();
    assert_eq!(open(&[huge]), (String::new(), 0, Some(u64::MAX)));
}

/// Calls every function of a database.
fn ask_everything(bytes: Vec<u8>) {
    for database in [Database::open(bytes.clone()), Database::open_edited(bytes)].into_iter().flatten() {
        ask(&database);
    }
}

fn ask(database: &Database) {
    for rows in read_all(database) {
        let _ = print::list(&rows, None);
    }
    for table in &database.schema().tables {
        for (_, op) in Op::ALL {
            for column in &table.columns {
                if let Ok(condition) = Condition::parse(table, &column.name, op, "a") {
                    database.select(&Select::from(table.name.as_str()).filter(condition)).unwrap();
                }
            }
        }
    }
    for transaction in database.transactions() {
        let _ = (transaction.comment(), transaction.date_ms());
        for change in transaction.changes() {
            let _ = transaction.row(&change.table, change.uuid).unwrap().columns().count();
        }
    }
}

/// Corrects the lengths and checksums of the records of a damaged file, so that the parser reads their contents.
fn mend(file: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(file);
    let magic = if text.starts_with("OVSDB CLUSTER") { "CLUSTER" } else { "JSON" };
    text.split('\n')
        .filter(|line| !line.starts_with("OVSDB "))
        .map(|json| record(magic, json))
        .collect::<String>()
        .into()
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), clustered: bool) {
        ask_everything(bytes.clone());
        let header = if clustered { &b"OVSDB CLUSTER "[..] } else { b"OVSDB JSON " };
        ask_everything([header, &bytes].concat());
    }

    #[test]
    fn damaged_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        letters in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:0-9a-e]"), 0..4),
        clustered: bool,
    ) {
        let mut file = fixture(if clustered { "clustered.db" } else { "example.db" });
        for (at, byte) in &changes {
            let at = at.index(file.len());
            file[at] = *byte;
        }
        ask_everything(file.clone());
        ask_everything(mend(&file));
        let mut file = fixture(if clustered { "clustered.db" } else { "example.db" });
        for (at, letter) in &letters {
            let at = at.index(file.len());
            file[at] = letter.as_bytes()[0];
        }
        ask_everything(mend(&file));
    }

    #[test]
    fn conditions_never_panic(text in "\\PC{0,30}", column in "[a-z_:]{0,12}") {
        let database = Database::open(fixture("example.db")).unwrap();
        let table = database.schema().table("Logical_Switch").unwrap();
        for (_, op) in Op::ALL {
            for column in ["name", "other_config", "other_config:a", "_uuid", column.as_str()] {
                let _ = Condition::parse(table, column, op, &text);
            }
        }
    }
}
