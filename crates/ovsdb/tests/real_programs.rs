//! Compares what this crate reads with what the real programs read, from files that the real programs write.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::changes::Changes;
use common::{Server, query_all, read_all, stdout};
use ovsdb::{Condition, Database, FileFormat, Op, Row, Rows, Schema, Select, print};

fn lab_schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/ovsdb/lab.ovsschema")
}

fn open(file: &Path) -> Database {
    let database = Database::open(fs::read(file).unwrap()).unwrap();
    assert!(database.damage().is_none() && database.problems().is_empty());
    database
}

#[test]
fn a_standalone_file_is_read_while_its_log_grows() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    stdout("ovsdb-tool", &["create", file.to_str().unwrap(), lab_schema().to_str().unwrap()]);
    assert_eq!(read_all(&open(&file)), query_all(open(&file).schema(), &file));
    let server = Server::start(dir.path(), &file);
    let mut changes = Changes::new(1);
    for at in 1..=150 {
        server.transact(&changes.next());
        if at % 10 == 0 {
            let database = open(&file);
            assert_eq!(read_all(&database), query_all(database.schema(), &file), "after {at} transactions");
            assert_eq!(read_all(&database), written_anew(dir.path(), &database), "after {at} transactions");
        }
    }
    let database = open(&file);
    assert_eq!(*database.kind(), FileFormat::Standalone);
    assert!(database.row_count("Everything").unwrap() > 3);
    assert_eq!(database.schema().tables, server.schema("Lab").tables);
    server.compact(&file);
    let compacted = open(&file);
    assert_eq!(read_all(&compacted), read_all(&database));
    assert!(compacted.transactions().len() < database.transactions().len());
}

/// Returns the rows that `ovsdb-tool` reads from the standalone file that this crate writes for a database.
fn written_anew(dir: &Path, database: &Database) -> Vec<Rows> {
    let copy = dir.join("anew.db");
    fs::write(&copy, database.to_standalone()).unwrap();
    assert_eq!(open(&copy).schema(), database.schema());
    query_all(database.schema(), &copy)
}

/// Returns conditions on every column with every operator, as people write them. It skips values that do not fit the
/// column.
fn conditions(schema: &Schema, uuid: &str) -> Vec<Condition> {
    let table = schema.table("Everything").unwrap();
    let texts = [
        "",
        "a",
        "b c",
        "c d",
        "true",
        "false",
        "0",
        "7",
        "-2",
        "1.5",
        "2.5",
        "[]",
        "{}",
        "[a, b]",
        "[1, 2, 3]",
        "red",
        "a=1",
        "{a=1, b=2}",
        "{1=2}",
        "{1=2, 3=4}",
        "é\"\\\n/",
        "550e8400-e29b-41d4-a716-446655440000",
        "row 3",
        uuid,
    ];
    let keyed = [
        "map_string:a",
        "map_string:b c",
        "map_string:mtu",
        "map_string:none",
        "map_integer:1",
        "named_parts:first",
    ];
    let columns =
        table.columns.iter().map(|column| column.name.as_str()).filter(|name| *name != "memory_only");
    let columns = columns.chain(["_uuid"]).chain(keyed);
    let mut all = Vec::new();
    for column in columns {
        for (_, op) in Op::ALL {
            all.extend(texts.iter().filter_map(|text| Condition::parse(table, column, op, text).ok()));
        }
        all.extend(["1000", "other", "5"].into_iter().flat_map(|text| {
            Op::ALL.into_iter().filter_map(move |(_, op)| Condition::parse(table, column, op, text).ok())
        }));
    }
    all
}

#[test]
fn a_select_returns_the_same_rows_from_file_and_server() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    stdout("ovsdb-tool", &["create", file.to_str().unwrap(), lab_schema().to_str().unwrap()]);
    let server = Server::start(dir.path(), &file);
    let mut changes = Changes::new(7);
    for _ in 0..120 {
        server.transact(&changes.next());
    }
    // The file does not contain columns that the server keeps in memory only.
    server.transact(
        r#"["Lab",{"op":"update","table":"Everything","where":[],"row":{"memory_only":["set",[]]}}]"#,
    );
    let database = open(&file);
    let schema = server.schema("Lab");
    let all = database.select(&Select::from("Everything")).unwrap();
    assert!(all.rows.len() > 5, "{}", all.rows.len());

    let conditions = conditions(&schema, &all.rows[2].uuid.to_string());
    let mut selects: Vec<Select> =
        conditions.iter().map(|condition| Select::from("Everything").filter(condition.clone())).collect();
    for (at, pair) in conditions.windows(7).enumerate().step_by(3) {
        let columns: &[&str] = [&["name"][..], &["_uuid", "map_string"], &[]][at % 3];
        let select = Select::from("Everything").filter(pair[0].clone()).filter(pair[6].clone());
        selects.push(select.columns(columns.iter().copied()));
    }
    assert!(selects.len() > 800, "{}", selects.len());
    let mut answered = 0;
    for selects in selects.chunks(200) {
        for (select, live) in selects.iter().zip(server.select(&schema, selects)) {
            let offline = database.select(select).unwrap();
            assert_eq!(print::list(&offline, None), print::list(&live, None), "{select:?}");
            assert_eq!(offline, live, "{select:?}");
            let naive: Vec<&Row> = all.rows.iter().filter(|row| select.matches(row)).collect();
            assert!(
                naive.iter().map(|row| row.uuid).eq(offline.rows.iter().map(|row| row.uuid)),
                "{select:?}"
            );
            answered += usize::from(!naive.is_empty() && naive.len() < all.rows.len());
        }
    }
    assert!(answered > 300, "only {answered} selects match some rows and not others");
}

#[test]
fn rejected_selects_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    stdout("ovsdb-tool", &["create", file.to_str().unwrap(), lab_schema().to_str().unwrap()]);
    let server = Server::start(dir.path(), &file);
    server.transact(&Changes::new(3).next());
    let schema = server.schema("Lab");
    let ask = |schema: &Schema, selects: &[Select]| {
        let reply =
            stdout("ovsdb-client", &["query", &server.socket(), &ovsdb::wire::query_json("Lab", selects)]);
        ovsdb::wire::parse_reply(schema, selects, reply)
    };
    let wrong = [Select::from("Part"), Select::from("Part").filter(Condition::is("size", "ten"))];
    let error = ask(&schema, &wrong).unwrap_err().to_string();
    assert!(error.starts_with("the server rejected select 2 of table Part: syntax error: "), "{error}");
    let error = ask(&schema, &[Select::from("Nothing")]).unwrap_err().to_string();
    assert!(error.contains("No table named Nothing"), "{error}");

    let older = fs::read_to_string(lab_schema()).unwrap().replace("opt_boolean", "opt_bool");
    let error = ask(&Schema::parse(&older).unwrap(), &[Select::from("Everything")]).unwrap_err().to_string();
    assert!(
        error.contains("column opt_boolean of table Everything, but schema Lab 1.2.3 does not"),
        "{error}"
    );
    let reply = r#"[{"rows":[{"size":1}]}]"#;
    assert!(
        ovsdb::wire::parse_reply(&schema, &[Select::from("Part")], reply).is_err(),
        "a row without a UUID was accepted"
    );
    let error = ovsdb::wire::parse_reply(&schema, &[Select::from("Part")], "ovsdb-client: no")
        .unwrap_err()
        .to_string();
    assert!(error.contains("ovsdb-client: no"), "{error}");
}

/// Returns the rows of a clustered file after `ovsdb-tool` converts it into a standalone file.
fn as_standalone(dir: &Path, file: &Path, schema: &Schema) -> Vec<Rows> {
    let copy = dir.join("standalone.db");
    let _ = fs::remove_file(&copy);
    stdout("ovsdb-tool", &["cluster-to-standalone", copy.to_str().unwrap(), file.to_str().unwrap()]);
    query_all(schema, &copy)
}

#[test]
fn a_clustered_file_is_read_like_ovsdb_tool_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    let address = format!("unix:{}", dir.path().join("raft").display());
    stdout(
        "ovsdb-tool",
        &["create-cluster", file.to_str().unwrap(), lab_schema().to_str().unwrap(), &address],
    );
    assert_eq!(open(&file).row_count("Part").unwrap(), 0);
    let server = Server::start(dir.path(), &file);
    stdout("ovsdb-client", &["wait", &server.socket(), "Lab", "connected"]);
    let mut changes = Changes::new(11);
    for round in 0..3 {
        for _ in 0..40 {
            server.transact(&changes.next());
        }
        let database = open(&file);
        assert_eq!(read_all(&database), as_standalone(dir.path(), &file, database.schema()), "round {round}");
        assert_eq!(read_all(&database), written_anew(dir.path(), &database), "round {round}");
        let FileFormat::Clustered(cluster) = database.kind() else { panic!("{:?}", database.kind()) };
        let says = |what| stdout("ovsdb-tool", &[what, file.to_str().unwrap()]).trim().to_owned();
        assert_eq!(cluster.name, says("db-name"));
        assert_eq!(cluster.local_address, says("db-local-address"));
        assert_eq!(cluster.server_id, says("db-sid"));
        assert_eq!(cluster.cluster_id.as_deref(), Some(says("db-cid").as_str()));
        assert_eq!(cluster.servers.get(&cluster.server_id), Some(&address));
        assert_eq!(cluster.not_known_committed, 0, "{cluster:?}");
        let status = server.control(&["cluster/status", "Lab"]);
        assert!(status.contains(&format!("Term: {}\n", cluster.term)), "{status}\n{cluster:?}");
        assert!(
            status.contains(&format!(", {})\n", cluster.last_index))
                || status.contains(&format!("[{}, {}]", cluster.snapshot_index + 1, cluster.last_index + 1)),
            "{status}\n{cluster:?}"
        );
        if round == 1 {
            server.compact(&file);
            let compacted = open(&file);
            assert_eq!(read_all(&compacted), read_all(&database));
            let FileFormat::Clustered(cluster) = compacted.kind() else { panic!("{:?}", compacted.kind()) };
            assert!(cluster.snapshot_index > 20, "{cluster:?}");
        }
    }

    // A change of the schema empties the database, and the log then contains all its rows again.
    let newer = dir.path().join("newer.ovsschema");
    let text = fs::read_to_string(lab_schema()).unwrap().replace("1.2.3", "1.3.0");
    fs::write(&newer, text.replace("\"size\": {", "\"colour\": {\"type\": \"string\"}, \"size\": {"))
        .unwrap();
    stdout("ovsdb-client", &["convert", &server.socket(), newer.to_str().unwrap()]);
    server.transact(
        r#"["Lab",{"op":"update","table":"Part","where":[["size","!=",0]],"row":{"colour":"red"}}]"#,
    );
    let database = open(&file);
    assert_eq!(database.schema().version, "1.3.0");
    let selects = [Select::from("Part"), Select::from("Everything")];
    let live = server.select(&server.schema("Lab"), &selects);
    assert!(live[0].rows.iter().any(|row| row.text("colour") == Some("red")));
    assert_eq!(database.select(&selects[0]).unwrap(), live[0]);
    let name =
        |rows: &Rows| rows.rows.iter().map(|row| row.text("name").map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(name(&database.select(&selects[1]).unwrap()), name(&live[1]));
}

#[test]
fn a_file_of_a_server_that_has_not_joined_its_cluster_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    let path = file.to_str().unwrap();
    stdout("ovsdb-tool", &["join-cluster", path, "Lab", "tcp:192.0.2.1:6643", "tcp:192.0.2.2:6643"]);
    let error = Database::open(fs::read(&file).unwrap()).unwrap_err().to_string();
    assert!(error.ends_with("had not joined the cluster of Lab at tcp:192.0.2.2:6643"), "{error}");
}
