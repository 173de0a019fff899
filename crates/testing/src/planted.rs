//! Tests that no answer contains a secret. A source plants secrets in everything that it reads, and the tests call the
//! tools of a layer in many ways.

use super::{Case, Failed, answer, scenario};
use async_trait::async_trait;
use jiff::Timestamp;
use mcp_core::{
    Argv, Backend, BundleFile, CommandTarget, Coverage, Db, Layer, LogQuery, LogStream, NodeName, ObjectKind,
    ObjectQuery, Output, Progress, ReadError, ReadValue, Table,
};
use ovsdb::{Atom, Database, Datum, NewFile, Rows, Schema, Select, Uuid};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Parts of every planted value: in plain text, in base64 at each alignment, and as digits of a key.
pub const MARKS: [&str; 5] =
    ["hunter2hunter2", "aHVudGVyMmh1bnRlcj", "h1bnRlcjJodW50ZXIy", "odW50ZXIyaHVudGVyM", "75af74057be0a61c"];

/// Secrets as they occur in logs: requests, environments, connections, printed keys, configuration.
const LOGGED: &str = r#"
2026-11-22T08:30:00.000000000Z E1122 08:30:00.000000 1 client.go:1] request failed: Authorization: Bearer hunter2hunter2
2026-11-22T08:30:01.000000000Z stderr F E1122 08:30:01.000000 1 a.go:1] password=hunter2hunter2 token: hunter2hunter2
2026-11-22T08:30:02.000Z|00001|stream_ssl|ERR|https://admin:hunter2hunter2@api.example.org:6443 refused
level=error time="2026-11-22T08:30:03Z" msg="login" api_key="hunter2hunter2" secret=hunter2hunter2
{"level":"error","ts":"2026-11-22T08:30:04Z","msg":"pull","auth":"aHVudGVyMmh1bnRlcjI=","password":"hunter2hunter2"}
: PSK "hunter2hunter2"
@ovn-worker %any : PSK "hunter2hunter2"
    client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpodW50ZXIyaHVudGVyMgo=
    token: hunter2hunter2
"#;

/// Secrets as commands print them, also in logs: keys, configuration of routers and of IPsec, kernel state, databases.
const PRINTED: &str = r#"
2026-11-22T08:30:05Z E mounting -----BEGIN RSA PRIVATE KEY-----
aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI=
hunter2hunter2
-----END RSA PRIVATE KEY-----
	psk=hunter2hunter2
 neighbor 172.18.0.3 password hunter2hunter2
password hunter2hunter2
     password: hunter2hunter2
enable password 8 hunter2hunter2
 key-string hunter2hunter2
 ip ospf message-digest-key 1 md5 hunter2hunter2
src 172.18.0.3 dst 172.18.0.2
	proto esp spi 0xf8c30232 reqid 1 mode transport
	aead rfc4106(gcm(aes)) 0x75af74057be0a61c08abe2028beecebf 128
	auth-trunc hmac(sha256) 0x75af74057be0a61c 128
	enc cbc(aes) 0x75af74057be0a61c
options             : {ipsec_psk="hunter2hunter2", psk=hunter2hunter2, private_key="hunter2hunter2"}
"#;

/// A source that adds secrets to everything that another source reads: to each output of a command, each log, and each
/// free-form map of a database. Objects are unchanged, because their source itself redacts them, which other tests
/// check.
struct PlantedBackend {
    inner: Arc<dyn Backend>,
    databases: Mutex<BTreeMap<(NodeName, Db), Arc<Database>>>,
    /// Whether every command fails with secrets in its error message.
    fails: bool,
}

impl PlantedBackend {
    fn new(inner: Arc<dyn Backend>) -> Self {
        Self { inner, databases: Mutex::default(), fails: false }
    }

    /// Returns the database with secrets in its rows, or `None` if only the database's server can be queried.
    async fn planted(&self, at: &CommandTarget, db: Db) -> Option<ReadValue<Arc<Database>>> {
        let read = self.inner.database(at, db).await.ok()?;
        let key = (at.node.clone(), db);
        let mut known = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let planted = match known.get(&key) {
            Some(planted) => planted.clone(),
            None => {
                let planted = Arc::new(plant(&read.value, &at.node)?);
                known.insert(key, planted.clone());
                planted
            }
        };
        Some(ReadValue { value: planted, origin: read.origin, notes: read.notes })
    }
}

/// The columns in which any client may store any key.
const PLANTED: [&str; 3] = ["external_ids", "options", "other_config"];

/// Adds secrets to each of these columns, recognizable by their key or by their form, and different on each node.
fn plant(database: &Database, node: &NodeName) -> Option<Database> {
    let mut file = NewFile::new(database.schema());
    for table in &database.schema().tables {
        let rows = database.select(&Select::from(table.name.as_str())).ok()?;
        let mut planted: Vec<(Uuid, Vec<(String, Datum)>)> = Vec::new();
        for row in rows.rows {
            let mut columns = Vec::new();
            for column in &table.columns {
                let Some(value) = row.get(&column.name) else { continue };
                let value = match value {
                    Datum::Map(pairs) if PLANTED.contains(&column.name.as_str()) => {
                        let secrets = ["psk", "ipsec_psk", "password", "auth_token", "private_key"];
                        let secret = format!("hunter2hunter2-{node}");
                        let url = format!("https://me:{secret}@example.org/");
                        let url = (Atom::from("planted_url"), Atom::from(url.as_str()));
                        let secrets = secrets.map(|key| (Atom::from(key), Atom::from(secret.as_str())));
                        Datum::map(pairs.iter().cloned().chain(secrets).chain([url]))
                    }
                    value => value.clone(),
                };
                if value != column.ty.default_datum() {
                    columns.push((column.name.clone(), value));
                }
            }
            planted.push((row.uuid, columns));
        }
        file.table(&table.name, planted);
    }
    Database::open(file.into_bytes()).ok()
}

/// Adds secrets in the middle and at the end of an output. JSON output stays as it is.
fn plant_in(mut output: Output) -> Output {
    let is_json = output
        .stdout
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| b"{[".contains(byte));
    if !is_json {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let (head, tail) = lines.split_at(lines.len() / 2);
        output.stdout =
            [head.join("\n"), PRINTED.into(), tail.join("\n"), PRINTED.into()].join("\n").into_bytes();
    }
    output.stderr.extend_from_slice(PRINTED.as_bytes());
    output
}

#[async_trait]
impl Backend for PlantedBackend {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    async fn open(&self, progress: &Progress) -> Result<(), ReadError> {
        self.inner.open(progress).await
    }

    async fn now(&self) -> Option<Timestamp> {
        self.inner.now().await
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        self.inner.nodes().await
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        self.inner.coverage().await
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        if self.fails {
            let (command, node) = (argv.to_string(), at.node.clone());
            return Err(ReadError::Failed { command, node, status: 1, stderr: PRINTED.into() });
        }
        let read = self.inner.command(at, argv).await?;
        let said = read.value.stderr.clone();
        let mut value = plant_in(read.value);
        if argv.program() == "ovn-trace" {
            // Any text on the standard error of ovn-trace counts as a failure.
            value.stderr = said;
        }
        Ok(ReadValue { value, ..read })
    }

    async fn recorded(
        &self,
        at: &CommandTarget,
        command: &'static str,
    ) -> Result<ReadValue<Output>, ReadError> {
        let read = self.inner.recorded(at, command).await?;
        Ok(ReadValue { value: plant_in(read.value), ..read })
    }

    async fn follow(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
    ) -> Result<ReadValue<Output>, ReadError> {
        let read = self.inner.follow(at, argv, time).await?;
        Ok(ReadValue { value: plant_in(read.value), ..read })
    }

    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.inner.schema(at, db).await
    }

    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        let read = self.inner.rows(at, db, selects).await?;
        let Some(planted) = self.planted(at, db).await else { return Ok(read) };
        let rows = selects.iter().map(|select| planted.value.select(select)).collect::<Result<_, _>>()?;
        Ok(ReadValue { value: rows, ..read })
    }

    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        match self.planted(at, db).await {
            Some(planted) => Ok(planted),
            None => self.inner.database(at, db).await,
        }
    }

    async fn kinds(&self, within: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        self.inner.kinds(within).await
    }

    async fn objects(
        &self,
        query: &ObjectQuery,
        within: Duration,
    ) -> Result<ReadValue<Vec<Value>>, ReadError> {
        self.inner.objects(query, within).await
    }

    async fn table(
        &self,
        query: &ObjectQuery,
        within: Duration,
    ) -> Result<Option<ReadValue<Table>>, ReadError> {
        self.inner.table(query, within).await
    }

    async fn files(&self, contains: &str) -> Result<ReadValue<Vec<BundleFile>>, ReadError> {
        self.inner.files(contains).await
    }

    async fn log(&self, query: &LogQuery, within: Duration) -> Result<ReadValue<LogStream>, ReadError> {
        let mut read = self.inner.log(query, within).await?;
        let (sender, stream) = LogStream::channel();
        let inner = std::mem::replace(&mut read.value, stream);
        tokio::spawn(async move {
            let mut inner = inner;
            let planted = || Ok([LOGGED, PRINTED].concat().into());
            _ = sender.send(planted()).await;
            while let Some(piece) = inner.next().await {
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
            _ = sender.send(planted()).await;
        });
        Ok(read)
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

/// The results of all calls to a layer.
#[derive(Debug, Default)]
struct LeakReport {
    /// The secrets that an answer contained: the call and the line.
    leaks: Vec<String>,
    /// The number of secrets that the answers report as redacted.
    redacted: usize,
    /// The calls whose answer depends on whether the guess in them is right.
    oracles: Vec<String>,
    /// The number of guesses.
    guesses: usize,
    /// The tools that returned only errors.
    silent: BTreeSet<&'static str>,
}

impl LeakReport {
    /// Adds the results of other calls. A tool is silent if it is silent in both.
    fn and(mut self, other: Self) -> Self {
        self.leaks.extend(other.leaks);
        self.redacted += other.redacted;
        self.oracles.extend(other.oracles);
        self.guesses += other.guesses;
        self.silent.retain(|tool| other.silent.contains(tool));
        self
    }
}

/// Returns the answer of a layer over a source with planted secrets, for tools that only live sources answer.
pub fn planted_answer(layer: Layer, inner: Arc<dyn Backend>, case: &Case) -> Result<String, Failed> {
    answer(layer, Arc::new(PlantedBackend::new(inner)), case)
}

/// Tests that no tool of a layer reveals a secret, over the sources of its golden cases. Each tool except those in
/// `silent` must have a case with an answer.
pub fn no_secrets(layer: fn() -> Layer, silent: &[&'static str]) -> Result<(), Failed> {
    let report = probe_secrets(layer, Path::new("tests/cases"))?;
    assert!(report.leaks.is_empty(), "{} leaks:\n{}", report.leaks.len(), report.leaks.join("\n"));
    assert!(report.oracles.is_empty(), "{} oracles:\n{}", report.oracles.len(), report.oracles.join("\n"));
    assert!(report.guesses > 0, "no secret was guessed");
    assert!(
        report.redacted > 20,
        "only {} secrets are reported as redacted; check that secrets were planted",
        report.redacted
    );
    assert_eq!(
        report.silent,
        silent.iter().copied().collect(),
        "the tools without a case that has an answer differ from the expected ones"
    );
    Ok(())
}

/// Makes all calls of a layer's golden cases over sources with planted secrets, and repeats each call with every value
/// of every enum parameter. The tools are called in parallel.
fn probe_secrets(layer: fn() -> Layer, cases: &Path) -> Result<LeakReport, Failed> {
    let mut of_tools = BTreeMap::<String, Vec<Case>>::new();
    let mut files: Vec<_> = std::fs::read_dir(cases)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        let case = Case::read(&file.path())?;
        of_tools.entry(case.tool.clone()).or_default().push(case);
    }
    let reports = of_tools
        .into_par_iter()
        .map(|(_, cases)| probe_tool(layer, &cases).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    let silent = layer().tools.iter().map(|tool| tool.name).collect();
    Ok(reports.into_iter().fold(LeakReport { silent, ..LeakReport::default() }, LeakReport::and))
}

/// Makes the calls of the golden cases of one tool.
fn probe_tool(layer: fn() -> Layer, cases: &[Case]) -> Result<LeakReport, Failed> {
    let mut report =
        LeakReport { silent: layer().tools.iter().map(|tool| tool.name).collect(), ..LeakReport::default() };
    let mut sources = BTreeMap::<&str, (Arc<PlantedBackend>, Arc<PlantedBackend>)>::new();
    let mut asked = BTreeSet::new();
    for (number, case) in cases.iter().enumerate() {
        let source = sources.entry(&case.scenario).or_insert_with(|| {
            let inner = scenario(&case.scenario);
            let failing = Arc::new(PlantedBackend { fails: true, ..PlantedBackend::new(inner.clone()) });
            (Arc::new(PlantedBackend::new(inner)), failing)
        });
        let (source, failing) = &*source;
        let own = layer();
        for case in variants(&own, case) {
            let question =
                format!("{} {} over {}", case.tool, Value::Object(case.params.clone()), case.scenario);
            if !asked.insert(question.clone()) {
                continue;
            }
            let text = answer(layer(), source.clone(), &case)?;
            let failed = answer(layer(), failing.clone(), &case)?;
            let leaked = text
                .lines()
                .chain(failed.lines())
                .filter(|line| MARKS.iter().any(|mark| line.contains(mark)));
            report.leaks.extend(leaked.map(|line| format!("{question}: {line}")));
            report.redacted += text.matches("[redacted").count();
            if !text.starts_with("error:") {
                report.silent.remove(case.tool.as_str());
            }
        }
        let guesses = if number < MAX_GUESSED_CASES { guesses(&own, case) } else { Vec::new() };
        for [right, wrong] in guesses {
            report.guesses += 1;
            let texts = [&right, &wrong].map(|case| answer(layer(), source.clone(), case));
            let [right_text, wrong_text] = texts.map(|text| text.map(|text| without_question(&text)));
            if right_text? != wrong_text? {
                report.oracles.push(format!("{} {}", right.tool, Value::Object(right.params)));
            }
        }
    }
    Ok(report)
}

/// The number of cases of a tool that are called with guesses. Tools have many cases, but one way of testing text.
const MAX_GUESSED_CASES: usize = 2;

/// The guesses, a right one and a wrong one.
const GUESSES: [&str; 2] = ["hunter2hunter2", "hunter3hunter3"];

/// Returns an answer without the parts that depend on the call: the guess and the address of the evidence.
fn without_question(text: &str) -> String {
    let text = GUESSES.iter().fold(text.to_owned(), |text, guess| text.replace(guess, "guess"));
    let parts = text.split("evidence://").enumerate();
    let without = |(at, part): (usize, &str)| match at {
        0 => part.to_owned(),
        _ => part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-/".contains(c)).to_owned(),
    };
    parts.map(without).collect()
}

/// Returns pairs of calls that differ only in a guess of a secret: `grep`, and conditions on each place that has a
/// planted secret, by the key and by the value of the secret.
fn guesses(layer: &Layer, case: &Case) -> Vec<[Case; 2]> {
    let tool = layer.tools.iter().find(|tool| tool.name == case.tool);
    let Some(properties) = tool.and_then(|tool| tool.schema.get("properties")?.as_object()) else {
        return Vec::new();
    };
    let asked = |name: &str, value: &dyn Fn(&str) -> Value| {
        GUESSES.map(|guess| {
            let mut case = case.clone();
            case.params.insert(name.to_owned(), value(guess));
            case
        })
    };
    let mut all = Vec::new();
    if properties.contains_key("grep") {
        all.push(asked("grep", &|guess| guess.into()));
    }
    if properties.contains_key("where") {
        for column in ["options", "external_ids", "other_config"] {
            for key in ["psk", "\"ps\\u006b\"", "password", "planted_url"] {
                for (op, value) in [("==", "-ovn-worker"), (">=", "")] {
                    let url = if key == "planted_url" { ["https://me:", "@example.org/"] } else { [""; 2] };
                    let value = |guess: &str| format!("{}{guess}{value}{}", url[0], url[1]);
                    let column = format!("{column}:{key}");
                    all.push(asked(
                        "where",
                        &|guess| json!([{ "column": column, "op": op, "value": value(guess) }]),
                    ));
                }
            }
            let map = |guess: &str| format!("{{psk=\"{guess}-ovn-worker\"}}");
            all.push(asked(
                "where",
                &|guess| json!([{ "column": column, "op": "includes", "value": map(guess) }]),
            ));
        }
    }
    all
}

/// Returns the case itself, the case for all nodes, the case with columns that contain secrets, and the case with
/// every value of every enum parameter.
fn variants(layer: &Layer, case: &Case) -> Vec<Case> {
    let mut all = vec![case.clone()];
    let tool = layer.tools.iter().find(|tool| tool.name == case.tool);
    let properties = tool.and_then(|tool| tool.schema.get("properties")?.as_object());
    if case.params.contains_key("node_name") && case.params.get("node_name") != Some(&"all".into()) {
        let mut other = case.clone();
        other.params.insert("node_name".into(), "all".into());
        all.push(other);
    }
    // The condition compares a column that contains secrets.
    if properties
        .is_some_and(|properties| properties.contains_key("columns") && properties.contains_key("where"))
    {
        for column in PLANTED {
            let mut other = case.clone();
            other.params.remove("grep");
            other.params.insert("columns".into(), json!([column]));
            all.push(other.clone());
            other.params.insert("where".into(), json!([{ "column": column, "op": "!=", "value": "{}" }]));
            all.push(other);
        }
    }
    for (name, property) in properties.into_iter().flatten() {
        for value in property.get("enum").and_then(Value::as_array).into_iter().flatten() {
            let mut other = case.clone();
            // A filter would hide the rows that it does not match.
            other.params.remove("grep");
            other.params.insert(name.clone(), value.clone());
            all.push(other);
        }
    }
    all
}
