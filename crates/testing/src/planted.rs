//! What is secret is in no answer: a source that plants secrets in all that it reads, and all that a layer can be asked.

use super::{Case, Failed, answer, scenario};
use async_trait::async_trait;
use jiff::Timestamp;
use mcp_core::{
    Argv, Backend, BundleFile, Coverage, Db, Kind, Layer, LogQuery, LogStream, NodeName, ObjectQuery, Output,
    Progress, Read, ReadError, Table, Target,
};
use ovsdb::{Atom, Database, Datum, NewFile, Rows, Schema, Select, Uuid};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Part of every planted value: in plain text, in base64 at each alignment, and as digits of a key.
pub const MARKS: [&str; 5] =
    ["hunter2hunter2", "aHVudGVyMmh1bnRlcj", "h1bnRlcjJodW50ZXIy", "odW50ZXIyaHVudGVyM", "75af74057be0a61c"];

/// Secrets as logs have them: requests, environments, connections, keys that were printed, configuration.
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

/// Secrets as commands print them, in logs too: keys, configuration of routers and of IPsec, kernel state, databases.
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

/// A source that adds secrets to whatever another one reads: to each output of a command, each log, and each
/// map of a database that is for anything. Objects are not touched: the source itself takes their secrets out, which has its own tests.
struct Planted {
    inner: Arc<dyn Backend>,
    databases: Mutex<BTreeMap<(NodeName, Db), Arc<Database>>>,
    /// Every command fails, with secrets in what it says of that.
    fails: bool,
}

impl Planted {
    fn new(inner: Arc<dyn Backend>) -> Self {
        Self { inner, databases: Mutex::default(), fails: false }
    }

    /// The database with secrets in its rows; none where only its server can be asked.
    async fn planted(&self, at: &Target, db: Db) -> Option<Read<Arc<Database>>> {
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
        Some(Read { value: planted, origin: read.origin, notes: read.notes })
    }
}

/// The columns in which anybody may put anything under any key.
const PLANTED: [&str; 3] = ["external_ids", "options", "other_config"];

/// Each of them has secrets beside what it had: by its key, or by its form; and other ones on each node.
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

/// An output with secrets after it, and in the middle; JSON stays what it is.
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
impl Backend for Planted {
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

    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        if self.fails {
            let (command, node) = (argv.to_string(), at.node.clone());
            return Err(ReadError::Failed { command, node, status: 1, stderr: PRINTED.into() });
        }
        let read = self.inner.command(at, argv).await?;
        let said = read.value.stderr.clone();
        let mut value = plant_in(read.value);
        if argv.program() == "ovn-trace" {
            // A word of it there is a failure of it.
            value.stderr = said;
        }
        Ok(Read { value, ..read })
    }

    async fn recorded(&self, at: &Target, command: &'static str) -> Result<Read<Output>, ReadError> {
        let read = self.inner.recorded(at, command).await?;
        Ok(Read { value: plant_in(read.value), ..read })
    }

    async fn follow(&self, at: &Target, argv: &Argv, time: Duration) -> Result<Read<Output>, ReadError> {
        let read = self.inner.follow(at, argv, time).await?;
        Ok(Read { value: plant_in(read.value), ..read })
    }

    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.inner.schema(at, db).await
    }

    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
        let read = self.inner.rows(at, db, selects).await?;
        let Some(planted) = self.planted(at, db).await else { return Ok(read) };
        let rows = selects.iter().map(|select| planted.value.select(select)).collect::<Result<_, _>>()?;
        Ok(Read { value: rows, ..read })
    }

    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError> {
        match self.planted(at, db).await {
            Some(planted) => Ok(planted),
            None => self.inner.database(at, db).await,
        }
    }

    async fn kinds(&self, within: Duration) -> Result<Read<Vec<Kind>>, ReadError> {
        self.inner.kinds(within).await
    }

    async fn objects(&self, query: &ObjectQuery, within: Duration) -> Result<Read<Vec<Value>>, ReadError> {
        self.inner.objects(query, within).await
    }

    async fn table(&self, query: &ObjectQuery, within: Duration) -> Result<Option<Read<Table>>, ReadError> {
        self.inner.table(query, within).await
    }

    async fn files(&self, contains: &str) -> Result<Read<Vec<BundleFile>>, ReadError> {
        self.inner.files(contains).await
    }

    async fn log(&self, query: &LogQuery, within: Duration) -> Result<Read<LogStream>, ReadError> {
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

/// What all questions to a layer have told.
#[derive(Debug, Default)]
struct Told {
    /// Secrets that were in an answer: the question, and the line.
    leaks: Vec<String>,
    /// Secrets that were left out, as far as answers say it.
    redacted: usize,
    /// Questions whose answer is another one when the guess in them is right.
    oracles: Vec<String>,
    /// Guesses that were made.
    guesses: usize,
    /// Tools that gave no answer to any question but errors.
    silent: BTreeSet<&'static str>,
}

/// What a layer answers about a source in all of whose outputs secrets are planted: of tools that only live sources answer.
pub fn planted_answer(layer: Layer, inner: Arc<dyn Backend>, case: &Case) -> Result<String, Failed> {
    answer(layer, Arc::new(Planted::new(inner)), case)
}

/// The test that no tool of a layer tells a secret, over whatever its golden cases read. Each tool has a case with an answer, but
/// these.
pub fn no_secrets(layer: fn() -> Layer, silent: &[&'static str]) -> Result<(), Failed> {
    let told = told(layer, Path::new("tests/cases"))?;
    assert!(told.leaks.is_empty(), "{} leaks:\n{}", told.leaks.len(), told.leaks.join("\n"));
    assert!(told.oracles.is_empty(), "{} oracles:\n{}", told.oracles.len(), told.oracles.join("\n"));
    assert!(told.guesses > 0, "no secret was guessed at");
    assert!(told.redacted > 20, "{} secrets are said to be left out: were any planted?", told.redacted);
    assert_eq!(
        told.silent,
        silent.iter().copied().collect(),
        "each tool has a case with an answer, but these"
    );
    Ok(())
}

/// Asks a layer all questions of its golden cases, over their sources with planted secrets, and each question with each
/// value of each choice that its tool has.
fn told(layer: fn() -> Layer, cases: &Path) -> Result<Told, Failed> {
    let mut told = Told { silent: layer().tools.iter().map(|tool| tool.name).collect(), ..Told::default() };
    let mut sources = BTreeMap::<String, (Arc<Planted>, Arc<Planted>)>::new();
    let (mut asked, mut guessed) = (BTreeSet::new(), BTreeMap::new());
    let mut files: Vec<_> = std::fs::read_dir(cases)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        let case = Case::read(&file.path())?;
        let source = sources.entry(case.scenario.clone()).or_insert_with(|| {
            let inner = scenario(&case.scenario);
            let failing = Arc::new(Planted { fails: true, ..Planted::new(inner.clone()) });
            (Arc::new(Planted::new(inner)), failing)
        });
        let (source, failing) = &*source;
        let own = layer();
        for case in variants(&own, &case) {
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
            told.leaks.extend(leaked.map(|line| format!("{question}: {line}")));
            told.redacted += text.matches("[redacted").count();
            if !text.starts_with("error:") {
                told.silent.remove(case.tool.as_str());
            }
        }
        let of_tool = guessed.entry(case.tool.clone()).or_insert(0);
        *of_tool += 1;
        for [right, wrong] in guesses(&own, &case).into_iter().filter(|_| *of_tool <= GUESSED) {
            told.guesses += 1;
            let texts = [&right, &wrong].map(|case| answer(layer(), source.clone(), case));
            let [right_text, wrong_text] = texts.map(|text| text.map(|text| without_question(&text)));
            if right_text? != wrong_text? {
                told.oracles.push(format!("{} {}", right.tool, Value::Object(right.params)));
            }
        }
    }
    Ok(told)
}

/// So many cases of a tool are asked with guesses: there are many of them, and one way to look at secrets.
const GUESSED: usize = 2;

/// What is guessed, and is right and wrong.
const GUESSES: [&str; 2] = ["hunter2hunter2", "hunter3hunter3"];

/// An answer without what it tells of its question: the guess, and the address of the evidence.
fn without_question(text: &str) -> String {
    let text = GUESSES.iter().fold(text.to_owned(), |text, guess| text.replace(guess, "guess"));
    let parts = text.split("evidence://").enumerate();
    let without = |(at, part): (usize, &str)| match at {
        0 => part.to_owned(),
        _ => part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-/".contains(c)).to_owned(),
    };
    parts.map(without).collect()
}

/// Pairs of questions that differ in a guess at a secret only: a search, and conditions on each place in which a secret
/// is planted, by its name and by what is in it.
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

/// The case, the case of all nodes, with columns that have secrets, and with each value of each choice.
fn variants(layer: &Layer, case: &Case) -> Vec<Case> {
    let mut all = vec![case.clone()];
    let tool = layer.tools.iter().find(|tool| tool.name == case.tool);
    let properties = tool.and_then(|tool| tool.schema.get("properties")?.as_object());
    if case.params.contains_key("node_name") && case.params.get("node_name") != Some(&"all".into()) {
        let mut other = case.clone();
        other.params.insert("node_name".into(), "all".into());
        all.push(other);
    }
    // A condition whose secret is shown as any other, and columns in which there are some.
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
            // A filter would hide what it does not choose.
            other.params.remove("grep");
            other.params.insert(name.clone(), value.clone());
            all.push(other);
        }
    }
    all
}
