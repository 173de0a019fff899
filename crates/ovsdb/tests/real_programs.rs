//! Files written and read by the real programs, against what this crate reads.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Server, query_all, read_all, run, stdout};
use ovsdb::{Condition, Database, Kind, Op, Row, Rows, Schema, Select, print};
use serde_json::{Value, json};

fn lab_schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/ovsdb/lab.ovsschema")
}

/// Made-up changes, the same in each run.
struct Changes {
    state: u64,
    names: Vec<String>,
    made: usize,
}

impl Changes {
    fn new(seed: u64) -> Self {
        Self { state: seed, names: Vec::new(), made: 0 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % limit
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn words(&mut self) -> Value {
        let all = ["a", "b", "c d", "", "é\"\\\n/", "550e8400-e29b-41d4-a716-446655440000"];
        json!(["set", all.iter().filter(|_| self.below(2) == 0).collect::<Vec<_>>()])
    }

    fn numbers(&mut self) -> Value {
        json!(["set", (-2..5).filter(|_| self.below(2) == 0).collect::<Vec<i64>>()])
    }

    fn pairs(&mut self) -> Value {
        let all = [["a", "1"], ["b", "2"], ["b c", "3"], ["mtu", "900"], ["mtu2", "1500"], ["e", ""]];
        let mut pairs: Vec<Value> = Vec::new();
        for [key, value] in all {
            match self.below(3) {
                0 => pairs.push(json!([key, value])),
                1 => pairs.push(json!([key, "other"])),
                _ => {}
            }
        }
        json!(["map", pairs])
    }

    /// Some columns with new values.
    fn row(&mut self) -> serde_json::Map<String, Value> {
        let values = [
            ("integer", json!(self.below(5) as i64 - 2)),
            ("opt_integer", self.pick(&[json!(["set", []]), json!(7), json!(-7)])),
            ("set_integer", self.numbers()),
            ("real", self.pick(&[json!(0.0), json!(1.5), json!(-1e-7), json!(3e20)])),
            ("set_real", self.pick(&[json!(["set", []]), json!(["set", [1, 2.5]]), json!(2.5)])),
            ("boolean", json!(self.below(2) == 0)),
            ("opt_boolean", self.pick(&[json!(["set", []]), json!(true), json!(false)])),
            ("opt_string", self.pick(&[json!(["set", []]), json!(""), json!("a"), json!("b c")])),
            ("set_string", self.words()),
            ("one_or_more", self.pick(&[json!("a"), json!(["set", ["b", "c"]]), json!(["set", ["a", "b"]])])),
            ("choice", self.pick(&[json!(["set", []]), json!("red"), json!("blue")])),
            ("map_string", self.pairs()),
            (
                "map_integer",
                self.pick(&[json!(["map", []]), json!(["map", [[1, 2], [3, 4]]]), json!(["map", [[1, 3]]])]),
            ),
            ("memory_only", self.pick(&[json!(["set", []]), json!("gone after a restart")])),
        ];
        values
            .into_iter()
            .filter(|_| self.below(3) == 0)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// A transaction that adds, changes or removes rows.
    fn next(&mut self) -> String {
        let mut operations = vec![json!("Lab")];
        let existing = if self.names.is_empty() { None } else { Some(self.below(self.names.len())) };
        match (self.below(6), existing) {
            (0, _) | (_, None) => {
                self.made += 1;
                let name = format!("row {}", self.made);
                operations.push(json!({ "op": "insert", "table": "Part", "uuid-name": "p", "row": { "size": self.made } }));
                operations.push(json!({ "op": "insert", "table": "Part", "uuid-name": "q", "row": {} }));
                let mut row = self.row();
                let part = json!(["named-uuid", "p"]);
                row.insert("name".into(), json!(name));
                // Without it the row would begin with a default of one element, `[""]`, of which `ovsdb-server` 3.1
                // writes differences that its own reader, and so this crate, takes for whole values.
                row.insert("one_or_more".into(), json!("a"));
                row.insert("parts".into(), json!(["set", [part, ["named-uuid", "q"]]]));
                row.insert("opt_part".into(), part.clone());
                row.insert("named_parts".into(), json!(["map", [["first", part]]]));
                operations.push(json!({ "op": "insert", "table": "Everything", "row": row }));
                operations
                    .push(json!({ "op": "comment", "comment": format!("make \"{name}\"\nand its parts") }));
                self.names.push(name);
            }
            (1, Some(at)) => {
                let name = self.names.swap_remove(at);
                operations
                    .push(json!({ "op": "delete", "table": "Everything", "where": [["name", "==", name]] }));
            }
            (2, Some(at)) => {
                let mutations = json!([
                    ["set_string", "insert", self.words()],
                    ["set_integer", "delete", self.numbers()],
                    ["map_string", "insert", self.pairs()],
                    ["map_string", "delete", ["set", ["a", "b c"]]],
                    ["integer", "+=", 1],
                ]);
                let condition = json!([["name", "==", self.names[at]]]);
                operations.push(json!({ "op": "mutate", "table": "Everything", "where": condition, "mutations": mutations }));
            }
            (3, Some(at)) => {
                let condition = json!([["name", "==", self.names[at]]]);
                let row = json!({ "parts": ["set", []], "named_parts": ["map", []] });
                operations
                    .push(json!({ "op": "update", "table": "Everything", "where": condition, "row": row }));
            }
            (_, Some(at)) => {
                let condition = json!([["name", "==", self.names[at]]]);
                operations.push(
                    json!({ "op": "update", "table": "Everything", "where": condition, "row": self.row() }),
                );
            }
        }
        Value::from(operations).to_string()
    }
}

fn open(file: &Path) -> Database {
    let database = Database::open(fs::read(file).unwrap()).unwrap();
    assert!(database.damage().is_none() && database.problems().is_empty());
    database
}

#[test]
fn standalone_file_as_its_log_grows() {
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
        }
    }
    let database = open(&file);
    assert_eq!(*database.kind(), Kind::Standalone);
    assert!(database.row_count("Everything").unwrap() > 3);
    assert_eq!(database.schema().tables, server.schema("Lab").tables);
    server.control(&["ovsdb-server/compact"]);
    let compacted = open(&file);
    assert_eq!(read_all(&compacted), read_all(&database));
    assert!(compacted.transactions().len() < database.transactions().len());
}

/// Conditions on every column with every operator, as people write them; those that suit the column.
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
fn a_select_gives_the_same_from_file_and_server() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    stdout("ovsdb-tool", &["create", file.to_str().unwrap(), lab_schema().to_str().unwrap()]);
    let server = Server::start(dir.path(), &file);
    let mut changes = Changes::new(7);
    for _ in 0..120 {
        server.transact(&changes.next());
    }
    // What is in memory only is not in the file.
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
    assert!(answered > 300, "{answered} selects told rows apart");
}

#[test]
fn refused_selects_are_errors() {
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
    assert!(error.starts_with("select 2 of table Part was refused: syntax error: "), "{error}");
    let error = ask(&schema, &[Select::from("Nothing")]).unwrap_err().to_string();
    assert!(error.contains("No table named Nothing"), "{error}");

    let older = fs::read_to_string(lab_schema()).unwrap().replace("opt_boolean", "opt_bool");
    let error = ask(&Schema::parse(&older).unwrap(), &[Select::from("Everything")]).unwrap_err().to_string();
    assert!(
        error.contains("column opt_boolean of table Everything, which schema Lab 1.2.3 does not"),
        "{error}"
    );
    let error = ovsdb::wire::parse_reply(&schema, &[Select::from("Part")], "ovsdb-client: no")
        .unwrap_err()
        .to_string();
    assert!(error.contains("ovsdb-client: no"), "{error}");
}

/// What `ovsdb-tool` makes of a clustered file.
fn as_standalone(dir: &Path, file: &Path, schema: &Schema) -> Vec<Rows> {
    let copy = dir.join("standalone.db");
    let _ = fs::remove_file(&copy);
    stdout("ovsdb-tool", &["cluster-to-standalone", copy.to_str().unwrap(), file.to_str().unwrap()]);
    query_all(schema, &copy)
}

#[test]
fn clustered_file() {
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
        let Kind::Clustered(cluster) = database.kind() else { panic!("{:?}", database.kind()) };
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
            server.control(&["ovsdb-server/compact"]);
            let compacted = open(&file);
            assert_eq!(read_all(&compacted), read_all(&database));
            let Kind::Clustered(cluster) = compacted.kind() else { panic!("{:?}", compacted.kind()) };
            assert!(cluster.snapshot_index > 20, "{cluster:?}");
        }
    }

    // A change of the schema empties the database and writes it anew into the log.
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
fn a_server_that_has_not_joined_yet() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lab.db");
    let path = file.to_str().unwrap();
    stdout("ovsdb-tool", &["join-cluster", path, "Lab", "tcp:192.0.2.1:6643", "tcp:192.0.2.2:6643"]);
    let error = Database::open(fs::read(&file).unwrap()).unwrap_err().to_string();
    assert!(error.ends_with("was to join the cluster of Lab at tcp:192.0.2.2:6643"), "{error}");
}

#[test]
fn switch_configuration_as_ovs_vsctl_prints_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("conf.db");
    stdout("ovsdb-tool", &["create", file.to_str().unwrap(), "/usr/share/openvswitch/vswitch.ovsschema"]);
    let server = Server::start(dir.path(), &file);
    let socket = server.socket();
    let vsctl = |words: &str| {
        let words: Vec<&str> = ["--no-wait", "--db", &socket].into_iter().chain(words.split(' ')).collect();
        stdout("ovs-vsctl", &words)
    };
    vsctl("init");
    vsctl("set Open_vSwitch . ovs_version=3.1.0 external_ids:hostname=node-1");
    vsctl("add-br br-int -- set bridge br-int fail_mode=secure datapath_type=netdev");
    vsctl("add-br br-ex -- add-port br-ex eth0 -- set port eth0 tag=7 trunks=[1,2]");
    vsctl(
        "add-port br-int ovn-1 -- set interface ovn-1 type=geneve options:remote_ip=192.0.2.1 options:key=flow",
    );
    vsctl("add-bond br-ex bond0 eth1 eth2");
    vsctl("set-controller br-int unix:/x tcp:127.0.0.1");
    vsctl("set-manager ptcp:6640");
    let database = open(&file);
    let rows: Vec<Rows> =
        print::show_selects(print::OVS_SHOW).iter().map(|select| database.select(select).unwrap()).collect();
    assert_eq!(print::show(print::OVS_SHOW, &rows), vsctl("show"));
    for table in &database.schema().tables {
        let rows = database.select(&Select::from(table.name.as_str())).unwrap();
        let (ours, theirs) = (print::list(&rows, None), vsctl(&format!("list {}", table.name)));
        let records = |list: &str| {
            let mut records: Vec<String> = list.trim_end().split("\n\n").map(str::to_owned).collect();
            records.sort();
            records
        };
        assert_eq!(records(&ours), records(&theirs), "{}", table.name);
    }
}

#[test]
fn history_as_ovsdb_tool_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in common::databases() {
        let file = dir.path().join(name.replace('/', "_"));
        fs::write(&file, &bytes).unwrap();
        let database = Database::open(bytes).unwrap();
        let shown = run("ovsdb-tool", &["-m", "show-log", file.to_str().unwrap()]);
        let shown = String::from_utf8(shown.stdout).unwrap();
        let mut records: Vec<&str> = shown.split("\n\n").filter(|record| !record.trim().is_empty()).collect();
        records.remove(0);
        assert_eq!(records.len(), database.transactions().len(), "{name}");
        for (record, transaction) in records.into_iter().zip(database.transactions()) {
            compare(record.trim(), &transaction);
        }
    }
}

/// Compares one record of `show-log` with a transaction.
fn compare(record: &str, transaction: &ovsdb::Transaction<'_>) {
    let (number, rest) = record.strip_prefix("record ").unwrap().split_once(": ").unwrap();
    assert_eq!(number, transaction.record_number().to_string());
    // The comment stands there as it is, with its line ends.
    let comment = transaction.comment().map(|comment| format!(" \"{comment}\"")).unwrap_or_default();
    let head = format!("{}{comment}", date(transaction.date_ms().unwrap()));
    let rest =
        rest.strip_prefix(head.as_str()).unwrap_or_else(|| panic!("record {number}: not {head}: {rest}"));

    let mut shown: Vec<(String, String, &str)> = Vec::new();
    for line in rest.lines() {
        if let Some((table, what)) = line.strip_prefix("  table ").and_then(|line| line.split_once(' ')) {
            let kind = if what.starts_with("insert row") { "insert" } else { "modify" };
            let id = what.trim_end_matches(" diff:").trim_end_matches([':', ')']);
            shown.push((table.to_owned(), id.rsplit(['(', ' ']).next().unwrap().to_owned(), kind));
        } else if line == "    delete row" {
            shown.last_mut().unwrap().2 = "delete";
        }
    }
    shown.sort();
    let mut ours: Vec<(String, String, &str)> = transaction
        .changes()
        .iter()
        .map(|change| {
            let kind = match change.kind {
                ovsdb::ChangeKind::Insert => "insert",
                ovsdb::ChangeKind::Modify => "modify",
                ovsdb::ChangeKind::Delete => "delete",
            };
            (change.table.clone(), change.uuid.to_string()[..8].to_owned(), kind)
        })
        .collect();
    ours.sort();
    assert_eq!(ours, shown, "record {number}");
}

/// A time as `ovsdb-tool` writes it: days are counted as in <https://howardhinnant.github.io/date_algorithms.html>.
fn date(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let era_day = days + 719_468;
    let (era, day) = (era_day.div_euclid(146_097), era_day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + i64::from(month <= 2);
    let seconds = ms / 1000;
    let (hour, minute, second, ms) = (seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03}")
}
