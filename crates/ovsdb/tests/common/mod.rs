//! Helpers of the tests: the recorded capture and the real programs.

#![expect(dead_code, reason = "each test uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]
pub(crate) mod changes;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ovsdb::{Database, Rows, Schema, Select, wire};

/// Returns files of an archive in `testdata/capture`, by path.
pub(crate) fn archive(name: &str, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture").join(name);
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = tar::Archive::new(liblzma::read::XzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && wanted(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

/// Returns the six databases of the must-gather, with the keys `<pod>/nbdb` and `<pod>/sbdb`.
pub(crate) fn databases() -> BTreeMap<String, Vec<u8>> {
    let files = archive("must-gather.tar.xz", |path| path.contains("/ovnk_database_store/"));
    let databases: BTreeMap<_, _> = files
        .into_iter()
        .filter_map(|(path, bytes)| {
            let (pod, db) = path.rsplit('/').next()?.rsplit_once('_')?;
            matches!(db, "nbdb" | "sbdb").then(|| (format!("{pod}/{db}"), bytes))
        })
        .collect();
    assert_eq!(databases.len(), 6, "{:?}", databases.keys());
    databases
}

/// Returns one northbound database of the capture.
pub(crate) fn northbound() -> Vec<u8> {
    databases().into_iter().find(|(name, _)| name.ends_with("/nbdb")).map(|(_, bytes)| bytes).unwrap()
}

/// Runs one of the real programs. The test fails if the program is not installed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    command(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program} must be installed (openvswitch-switch, ovn-central): {error}")
    })
}

/// Returns the standard output of a real program. The test fails if the program fails.
pub(crate) fn stdout(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests compare with the real programs, started here alone")]
    let mut command = Command::new(program);
    command.env("TZ", "UTC").stdin(Stdio::null());
    if matches!(program, "ovsdb-client" | "ovs-vsctl" | "ovs-appctl") {
        command.arg("--timeout=20");
    }
    command
}

/// A real `ovsdb-server` that serves a file, with its sockets in a directory. It is killed on drop.
pub(crate) struct Server {
    process: Child,
    dir: PathBuf,
}

impl Server {
    pub(crate) fn start(dir: &Path, file: &Path) -> Self {
        let process = command("ovsdb-server")
            .arg(format!("--remote=punix:{}", dir.join("db.sock").display()))
            .arg(format!("--unixctl={}", dir.join("db.ctl").display()))
            .args(["-vconsole:off", "-vsyslog:off", "-vfile:off", "--no-chdir"])
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ovsdb-server must be installed (openvswitch-common)");
        let server = Self { process, dir: dir.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !run("ovsdb-client", &["list-dbs", &server.socket()]).status.success() {
            assert!(Instant::now() < deadline, "ovsdb-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn socket(&self) -> String {
        format!("unix:{}", self.dir.join("db.sock").display())
    }

    /// Sends a command to the control socket of the server.
    pub(crate) fn control(&self, arguments: &[&str]) -> String {
        let target = self.dir.join("db.ctl").display().to_string();
        stdout("ovs-appctl", &[&["-t", &target], arguments].concat())
    }

    /// Compacts the file, and waits until this is done, because newer servers compact in the background.
    pub(crate) fn compact(&self, file: &Path) {
        let len = || std::fs::metadata(file).unwrap().len();
        let before = len();
        self.control(&["ovsdb-server/compact"]);
        let deadline = Instant::now() + Duration::from_secs(20);
        while len() >= before {
            assert!(Instant::now() < deadline, "the server did not compact the file in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a transaction.
    pub(crate) fn transact(&self, transaction: &str) -> serde_json::Value {
        let reply = stdout("ovsdb-client", &["transact", &self.socket(), transaction]);
        assert!(!reply.contains("\"error\""), "{transaction}: {reply}");
        serde_json::from_str(&reply).unwrap()
    }

    pub(crate) fn schema(&self, db: &str) -> Schema {
        Schema::parse(&stdout("ovsdb-client", &["get-schema", &self.socket(), db])).unwrap()
    }

    /// Returns the server's rows for selects.
    pub(crate) fn select(&self, schema: &Schema, selects: &[Select]) -> Vec<Rows> {
        let query = wire::query_json(&schema.name, selects);
        let reply = stdout("ovsdb-client", &["query", &self.socket(), &query]);
        wire::parse_reply(schema, selects, reply).unwrap_or_else(|error| panic!("{query}: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns all rows of all tables of a standalone file, as `ovsdb-tool query` reads them.
pub(crate) fn query_all(schema: &Schema, file: &Path) -> Vec<Rows> {
    let selects: Vec<Select> = schema.tables.iter().map(|table| Select::from(table.name.as_str())).collect();
    let query = wire::query_json(&schema.name, &selects);
    let reply = stdout("ovsdb-tool", &["query", file.to_str().unwrap(), &query]);
    wire::parse_reply(schema, &selects, reply).unwrap()
}

/// Returns all rows of all tables, as this crate reads them.
pub(crate) fn read_all(database: &Database) -> Vec<Rows> {
    let tables = &database.schema().tables;
    tables.iter().map(|table| database.select(&Select::from(table.name.as_str())).unwrap()).collect()
}
