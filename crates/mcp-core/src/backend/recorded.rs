//! Replays recorded answers, which the golden tests use.
//!
//! A scenario is a directory with one folder per node, and one folder for the cluster's objects. Each folder has one
//! file per question, named by the hash of the question:
//!
//! ```text
//! ask: ovn-appctl ct-zone-list
//! what: ovn-appctl ct-zone-list
//! when: 2026-11-22T08:35:03Z
//! status: 0
//!
//! what the program printed
//! ```
//!
//! [`RecordingBackend`] wraps any backend and writes such a directory, so the cases that test the tools also record the
//! data that they are tested on.

use super::{Backend, BundleFile, Coverage, FileVisitor, Origin, Output, ReadError, ReadValue};
use crate::{
    Argv, CapturePart, CommandPlace, CommandTarget, Db, LogQuery, LogStream, NodeName, ObjectKind,
    ObjectQuery, Progress, Table,
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select, wire};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha1::{Digest, Sha1};
use std::{
    fmt::Write,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A source that replays a directory of recorded answers.
pub struct RecordedBackend {
    root: PathBuf,
    name: String,
}

/// A wrapper of a backend that records its answers.
pub struct RecordingBackend {
    inner: Arc<dyn Backend>,
    root: PathBuf,
}

/// The key of a recording of rows of a node.
fn ask_rows(db: Db, selects: &[Select]) -> String {
    format!("query {}", wire::query_json(db.name(), selects))
}

/// The key of a recording of a command. A pod's namespace is a different place from the node's.
fn ask_command(at: &CommandTarget, argv: &Argv) -> String {
    match &at.place {
        CommandPlace::Pod(pod) => format!("in {pod}: {argv}"),
        _ => argv.to_string(),
    }
}

/// The key of a recording of a capture.
fn ask_capture(at: &CommandTarget, argv: &Argv) -> String {
    format!("capture {}", ask_command(at, argv))
}

/// The body of a recording of a capture.
#[derive(Serialize, Deserialize)]
struct RecordedCapture {
    stderr: String,
    /// The bytes in base64.
    stdout: String,
}

fn ask_schema(db: Db) -> String {
    format!("schema {db}")
}

/// The folder of answers that belong to no node.
const CLUSTER: &str = "cluster";

/// The key of the recording of the cluster's kinds.
fn ask_kinds() -> String {
    "kinds".into()
}

fn ask_objects(query: &ObjectQuery) -> String {
    format!("objects {query}")
}

fn ask_table(query: &ObjectQuery) -> String {
    format!("table {query}")
}

fn path(root: &Path, folder: &str, ask: &str) -> PathBuf {
    let digest = Sha1::digest(ask.as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    root.join(folder).join(name + ".txt")
}

/// One recorded answer.
struct Recording {
    origin: Origin,
    status: Option<i32>,
    body: String,
}

impl RecordedBackend {
    /// Opens a directory of recorded answers.
    pub fn new(root: PathBuf) -> Self {
        // The path has the form `testdata/<scenario>/recorded`.
        let scenario = if root.ends_with("recorded") { root.parent().unwrap_or(&root) } else { &root };
        let name = scenario.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
        Self { name: format!("recorded {name}"), root }
    }

    fn recording(&self, node: &NodeName, ask: &str) -> Result<Recording, ReadError> {
        self.read(node.as_str(), ask).ok_or_else(|| ReadError::NotCollected {
            what: format!("`{ask}`"),
            node: node.clone(),
            source_name: self.name.clone(),
            why: None,
            instead: Vec::new(),
        })
    }

    /// The recorded answer about the cluster, or `None` if it was not recorded.
    fn of_cluster<T: DeserializeOwned>(&self, ask: &str) -> Result<Option<ReadValue<T>>, ReadError> {
        let Some(Recording { origin, body, .. }) = self.read(CLUSTER, ask) else { return Ok(None) };
        let value = serde_json::from_str(&body);
        let value = value.map_err(|e| ReadError::unreadable(format!("the recording of `{ask}`"), e))?;
        Ok(Some(ReadValue { value, origin, notes: Vec::new() }))
    }

    fn read(&self, folder: &str, ask: &str) -> Option<Recording> {
        let text = std::fs::read_to_string(path(&self.root, folder, ask)).ok()?;
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let field = |name| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Some(Recording {
            origin: Origin::new(
                field("what").unwrap_or(ask),
                field("when").and_then(|when| when.parse().ok()),
            ),
            status: field("status").and_then(|status| status.parse().ok()),
            body: body.into(),
        })
    }
}

#[async_trait]
impl Backend for RecordedBackend {
    fn name(&self) -> &str {
        &self.name
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        let entries = std::fs::read_dir(&self.root)
            .map_err(|e| ReadError::unreadable(self.root.display().to_string(), e))?;
        let mut nodes: Vec<NodeName> =
            entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        nodes.retain(|node| node.as_str() != CLUSTER);
        nodes.sort();
        Ok(nodes)
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        let mut coverage = Coverage::live(&self.name, self.nodes().await?, &[]);
        coverage.notes.push(
            "a recording is found only by the question that it answers, so the contents cannot be listed"
                .into(),
        );
        Ok(coverage)
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        let Recording { origin, status, body } = self.recording(&at.node, &ask_command(at, argv))?;
        match status {
            None | Some(0) => {
                let output = Output { stdout: body.into(), stderr: Vec::new(), status };
                Ok(ReadValue { value: output, origin, notes: Vec::new() })
            }
            Some(status) => Err(ReadError::Failed {
                command: argv.to_string(),
                node: at.node.clone(),
                status,
                stderr: body.trim().into(),
            }),
        }
    }

    async fn capture(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        _time: Duration,
        into: &CapturePart,
    ) -> Result<ReadValue<Output>, ReadError> {
        let ask = ask_capture(at, argv);
        let Recording { origin, body, .. } = self.recording(&at.node, &ask)?;
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            ReadError::unreadable(format!("the recording of `{ask}`"), e)
        };
        let recorded: RecordedCapture = serde_json::from_str(&body).map_err(|e| failed(e.into()))?;
        let bytes = STANDARD.decode(recorded.stdout).map_err(|e| failed(e.into()))?;
        into.put(&bytes).map_err(|e| failed(e.into()))?;
        let output = Output { stdout: Vec::new(), stderr: recorded.stderr.into(), status: Some(0) };
        Ok(ReadValue { value: output, origin, notes: Vec::new() })
    }

    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError> {
        let recording = self.recording(&at.node, &ask_schema(db))?;
        let schema = Schema::parse(&recording.body);
        schema.map(Arc::new).map_err(|e| ReadError::unreadable(format!("the recorded schema of {db}"), e))
    }

    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        let failed = |e| ReadError::unreadable(format!("the recorded {db} of {}", at.node), e);
        let schema = self.schema(at, db).await?;
        for select in selects {
            select.check(&schema)?;
        }
        let Recording { origin, body, .. } = self.recording(&at.node, &ask_rows(db, selects))?;
        let rows = wire::parse_reply(&schema, selects, body.as_bytes()).map_err(failed)?;
        Ok(ReadValue { value: rows, origin, notes: Vec::new() })
    }

    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        Err(ReadError::NotCollected {
            what: format!("the file of {db}"),
            node: at.node.clone(),
            source_name: self.name.clone(),
            why: None,
            instead: Vec::new(),
        })
    }

    async fn kinds(&self, _within: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        let read = self.of_cluster(&ask_kinds())?;
        read.ok_or_else(|| ReadError::not_held("the list of API resources", &self.name))
    }

    async fn objects(
        &self,
        query: &ObjectQuery,
        _within: Duration,
    ) -> Result<ReadValue<Vec<Value>>, ReadError> {
        let read = self.of_cluster(&ask_objects(query))?;
        read.ok_or_else(|| ReadError::not_held(query.to_string(), &self.name))
    }

    async fn table(
        &self,
        query: &ObjectQuery,
        _within: Duration,
    ) -> Result<Option<ReadValue<Table>>, ReadError> {
        self.of_cluster(&ask_table(query))
    }
}

impl RecordingBackend {
    /// Wraps `inner` and records its answers in the directory `root`.
    pub fn new(inner: Arc<dyn Backend>, root: PathBuf) -> Self {
        Self { inner, root }
    }

    /// Records an answer about the cluster.
    fn write_of_cluster<T: Serialize>(&self, ask: &str, read: &ReadValue<T>) -> Result<(), ReadError> {
        let body = serde_json::to_string_pretty(&read.value);
        let body = body.map_err(|e| ReadError::unreadable(format!("the answer to `{ask}`"), e))?;
        self.write(CLUSTER, ask, Some(&read.origin), 0, &body)
    }

    fn write(
        &self,
        folder: &str,
        ask: &str,
        origin: Option<&Origin>,
        status: i32,
        body: &str,
    ) -> Result<(), ReadError> {
        let mut text = format!("ask: {ask}\n");
        if let Some(origin) = origin {
            _ = writeln!(text, "what: {}", origin.what);
            if let Some(when) = origin.when {
                _ = writeln!(text, "when: {}", when.strftime("%Y-%m-%dT%H:%M:%SZ"));
            }
        }
        _ = write!(text, "status: {status}\n\n{body}");
        let file = path(&self.root, folder, ask);
        let write = || {
            std::fs::create_dir_all(file.parent().expect("a joined path has a parent"))?;
            std::fs::write(&file, text)
        };
        write().map_err(|e| ReadError::unreadable(format!("the recording {}", file.display()), e))
    }
}

#[async_trait]
impl Backend for RecordingBackend {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn about(&self) -> String {
        self.inner.about().await
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    async fn open(&self, progress: &Progress) -> Result<(), ReadError> {
        self.inner.open(progress).await
    }

    async fn only(&self, bundle: &str) -> Result<Arc<dyn Backend>, ReadError> {
        self.inner.only(bundle).await
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        self.inner.nodes().await
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        self.inner.coverage().await
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        let result = self.inner.command(at, argv).await;
        match &result {
            Ok(read) => {
                let body = String::from_utf8_lossy(&read.value.stdout);
                self.write(at.node.as_str(), &ask_command(at, argv), Some(&read.origin), 0, &body)?;
            }
            Err(ReadError::Failed { status, stderr, .. }) => {
                self.write(at.node.as_str(), &ask_command(at, argv), None, *status, stderr)?;
            }
            Err(_) => {}
        }
        result
    }

    async fn recorded(
        &self,
        at: &CommandTarget,
        command: &'static str,
    ) -> Result<ReadValue<Output>, ReadError> {
        self.inner.recorded(at, command).await
    }

    async fn follow(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
    ) -> Result<ReadValue<Output>, ReadError> {
        self.inner.follow(at, argv, time).await
    }

    async fn capture(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
        into: &CapturePart,
    ) -> Result<ReadValue<Output>, ReadError> {
        let read = self.inner.capture(at, argv, time, into).await?;
        let ask = ask_capture(at, argv);
        let mut bytes = Vec::new();
        into.reader().read_to_end(&mut bytes).map_err(|e| ReadError::unreadable(&ask, e))?;
        let stderr = String::from_utf8_lossy(&read.value.stderr).into_owned();
        let recorded = RecordedCapture { stderr, stdout: STANDARD.encode(bytes) };
        let body = serde_json::to_string(&recorded).map_err(|e| ReadError::unreadable(&ask, e))?;
        self.write(at.node.as_str(), &ask, Some(&read.origin), 0, &body)?;
        Ok(read)
    }

    async fn binary(&self, bundle: &str, path: &str, read: FileVisitor) -> Result<ReadValue<()>, ReadError> {
        // Files are too large to record.
        self.inner.binary(bundle, path, read).await
    }

    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError> {
        let schema = self.inner.schema(at, db).await?;
        self.write(at.node.as_str(), &ask_schema(db), None, 0, &schema.json)?;
        Ok(schema)
    }

    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        self.schema(at, db).await?;
        let read = self.inner.rows(at, db, selects).await?;
        self.write(
            at.node.as_str(),
            &ask_rows(db, selects),
            Some(&read.origin),
            0,
            &wire::reply_json(&read.value),
        )?;
        Ok(read)
    }

    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        self.inner.database(at, db).await
    }

    async fn kinds(&self, within: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        let read = self.inner.kinds(within).await?;
        self.write_of_cluster(&ask_kinds(), &read)?;
        Ok(read)
    }

    async fn objects(
        &self,
        query: &ObjectQuery,
        within: Duration,
    ) -> Result<ReadValue<Vec<Value>>, ReadError> {
        let read = self.inner.objects(query, within).await?;
        self.write_of_cluster(&ask_objects(query), &read)?;
        Ok(read)
    }

    async fn table(
        &self,
        query: &ObjectQuery,
        within: Duration,
    ) -> Result<Option<ReadValue<Table>>, ReadError> {
        let read = self.inner.table(query, within).await?;
        if let Some(read) = &read {
            self.write_of_cluster(&ask_table(query), read)?;
        }
        Ok(read)
    }

    async fn files(&self, contains: &str) -> Result<ReadValue<Vec<BundleFile>>, ReadError> {
        self.inner.files(contains).await
    }

    async fn log(&self, query: &LogQuery, within: Duration) -> Result<ReadValue<LogStream>, ReadError> {
        // Logs are too large to record.
        self.inner.log(query, within).await
    }

    async fn now(&self) -> Option<Timestamp> {
        self.inner.now().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bundle;

    #[tokio::test]
    async fn recorded_answers_of_the_cluster_are_replayed() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture/must-gather.tar.xz");
        let recorder = RecordingBackend::new(Arc::new(Bundle::new(vec![capture])), folder.path().to_owned());
        let within = Duration::from_secs(30);
        let kinds = recorder.kinds(within).await.unwrap().value;
        let nodes = ObjectQuery::all(kinds.iter().find(|kind| kind.is_called("no")).unwrap().clone());
        let said = recorder.objects(&nodes, within).await.unwrap();
        assert_eq!(said.value.len(), 3);
        let recorded = RecordedBackend::new(folder.path().to_owned());
        assert_eq!(recorded.nodes().await.unwrap(), [], "the folder of the cluster is no node");
        assert_eq!(recorded.kinds(within).await.unwrap().value, kinds);
        let again = recorded.objects(&nodes, within).await.unwrap();
        assert_eq!((again.value, again.origin.what), (said.value, said.origin.what));
        let other = ObjectQuery { labels: "app=a".parse().unwrap(), ..nodes };
        assert!(matches!(recorded.objects(&other, within).await, Err(ReadError::NotHeld { .. })));
        assert!(recorded.table(&other, within).await.unwrap().is_none());
    }
}
