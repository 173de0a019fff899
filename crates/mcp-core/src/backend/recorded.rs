//! Recorded answers: what golden tests are made of.
//!
//! A scenario is a directory with a folder for each node, and in it a file for each question, named by the
//! question's hash:
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
//! [`Recorder`] wraps any backend and writes such a directory, so the cases that test the tools also record the
//! data that they are tested on.

use super::{Backend, Coverage, Origin, Output, Read, ReadError};
use crate::{Argv, Db, NodeName, Place, Target};
use async_trait::async_trait;
use ovsdb::{Database, Rows, Schema, Select, wire};
use sha1::{Digest, Sha1};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A directory of recorded answers.
pub struct Recorded {
    root: PathBuf,
    name: String,
}

/// Wraps a backend and writes what it gives.
pub struct Recorder {
    inner: Arc<dyn Backend>,
    root: PathBuf,
}

/// What was asked of a node, as the key of its recording.
fn ask_rows(db: Db, selects: &[Select]) -> String {
    format!("query {}", wire::query_json(db.name(), selects))
}

/// A pod's namespace is another place to ask than the node's.
fn ask_command(at: &Target, argv: &Argv) -> String {
    match &at.place {
        Place::Pod(pod) => format!("in {pod}: {argv}"),
        _ => argv.to_string(),
    }
}

fn ask_schema(db: Db) -> String {
    format!("schema {db}")
}

fn path(root: &Path, node: &NodeName, ask: &str) -> PathBuf {
    let digest = Sha1::digest(ask.as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    root.join(node.as_str()).join(name + ".txt")
}

/// One recorded answer.
struct Recording {
    origin: Origin,
    status: Option<i32>,
    body: String,
}

impl Recorded {
    /// Answers recorded in a directory.
    pub fn new(root: PathBuf) -> Self {
        // `testdata/<scenario>/recorded`
        let scenario = if root.ends_with("recorded") { root.parent().unwrap_or(&root) } else { &root };
        let name = scenario.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
        Self { name: format!("recorded {name}"), root }
    }

    fn recording(&self, node: &NodeName, ask: &str) -> Result<Recording, ReadError> {
        let text =
            std::fs::read_to_string(path(&self.root, node, ask)).map_err(|_| ReadError::NotCollected {
                what: format!("`{ask}`"),
                node: node.clone(),
                source_name: self.name.clone(),
                why: None,
                instead: Vec::new(),
            })?;
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let field = |name| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Ok(Recording {
            origin: Origin {
                what: field("what").unwrap_or(ask).into(),
                when: field("when").and_then(|when| when.parse().ok()),
            },
            status: field("status").and_then(|status| status.parse().ok()),
            body: body.into(),
        })
    }
}

#[async_trait]
impl Backend for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        let entries = std::fs::read_dir(&self.root)
            .map_err(|e| ReadError::unreadable(self.root.display().to_string(), e))?;
        let mut nodes: Vec<NodeName> =
            entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        nodes.sort();
        Ok(nodes)
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        let mut coverage = Coverage::live(&self.name, self.nodes().await?, &[]);
        coverage.notes.push("what was recorded is known by its question only".into());
        Ok(coverage)
    }

    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        let Recording { origin, status, body } = self.recording(&at.node, &ask_command(at, argv))?;
        match status {
            None | Some(0) => {
                let output = Output { stdout: body.into(), stderr: Vec::new(), status };
                Ok(Read { value: output, origin, notes: Vec::new() })
            }
            Some(status) => Err(ReadError::Failed {
                command: argv.to_string(),
                node: at.node.clone(),
                status,
                stderr: body.trim().into(),
            }),
        }
    }

    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError> {
        let recording = self.recording(&at.node, &ask_schema(db))?;
        let schema = Schema::parse(&recording.body);
        schema.map(Arc::new).map_err(|e| ReadError::unreadable(format!("the recorded schema of {db}"), e))
    }

    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
        let failed = |e| ReadError::unreadable(format!("the recorded {db} of {}", at.node), e);
        let schema = self.schema(at, db).await?;
        for select in selects {
            select.check(&schema)?;
        }
        let Recording { origin, body, .. } = self.recording(&at.node, &ask_rows(db, selects))?;
        let rows = wire::parse_reply(&schema, selects, body.as_bytes()).map_err(failed)?;
        Ok(Read { value: rows, origin, notes: Vec::new() })
    }

    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError> {
        Err(ReadError::NotCollected {
            what: format!("the file of {db}"),
            node: at.node.clone(),
            source_name: self.name.clone(),
            why: None,
            instead: Vec::new(),
        })
    }
}

impl Recorder {
    /// Records what `inner` gives into a directory.
    pub fn new(inner: Arc<dyn Backend>, root: PathBuf) -> Self {
        Self { inner, root }
    }

    fn write(
        &self,
        node: &NodeName,
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
        let file = path(&self.root, node, ask);
        let write = || {
            std::fs::create_dir_all(file.parent().expect("it was joined"))?;
            std::fs::write(&file, text)
        };
        write().map_err(|e| ReadError::unreadable(format!("the recording {}", file.display()), e))
    }
}

#[async_trait]
impl Backend for Recorder {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        self.inner.nodes().await
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        self.inner.coverage().await
    }

    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        let result = self.inner.command(at, argv).await;
        match &result {
            Ok(read) => {
                let body = String::from_utf8_lossy(&read.value.stdout);
                self.write(&at.node, &ask_command(at, argv), Some(&read.origin), 0, &body)?;
            }
            Err(ReadError::Failed { status, stderr, .. }) => {
                self.write(&at.node, &ask_command(at, argv), None, *status, stderr)?;
            }
            Err(_) => {}
        }
        result
    }

    async fn follow(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        self.inner.follow(at, argv).await
    }

    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError> {
        let schema = self.inner.schema(at, db).await?;
        self.write(&at.node, &ask_schema(db), None, 0, &schema.json)?;
        Ok(schema)
    }

    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
        self.schema(at, db).await?;
        let read = self.inner.rows(at, db, selects).await?;
        self.write(&at.node, &ask_rows(db, selects), Some(&read.origin), 0, &wire::reply_json(&read.value))?;
        Ok(read)
    }

    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError> {
        self.inner.database(at, db).await
    }
}
