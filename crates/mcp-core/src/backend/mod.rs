//! The source of data: a running node or cluster, or data that was recorded earlier.
//!
//! A tool does not know which source it reads. The tool names a node and a place and asks for rows, the output of a
//! command, or a file. It gets the answer with its origin, or an error that tells apart absent, empty and failed.

mod bundle;
mod cluster;
mod coverage;
mod host_log;
mod journal;
mod live;
mod local;
pub(crate) mod netns;
mod nofollow;
mod origin;
mod recorded;

pub use bundle::Bundle;
pub(crate) use bundle::each_object;
pub(crate) use cluster::ClusterArgs;
pub use cluster::{ClusterError, LiveCluster};
pub use coverage::{AreaOfNode, AreaState, Coverage, DataArea, NodeCoverage, SourceCoverage};
pub use local::{BadLocal, LocalBackend, LocalNode};
pub use origin::{BundleFile, Collection, Extent, Origin, ReadValue};
pub use recorded::{RecordedBackend, RecordingBackend};

use crate::{
    Argv, CapturePart, CommandTarget, Db, LogQuery, LogStream, NodeName, ObjectKind, ObjectQuery, Progress,
    Table, argv::BadWord,
};
use async_trait::async_trait;
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// A source of read-only data.
///
/// **Invariant:** no method can change the source.
///
/// Add a method only when two layers need it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The name of the source in the first line of an answer: `must-gather.tar.xz`, `local`.
    fn name(&self) -> &str;

    /// Describes the source for the server's instructions: which cluster or files it is, when its data was collected,
    /// and what was not collected. A live source gives only its name.
    async fn about(&self) -> String {
        match self.is_live() {
            true => format!("{}, live", self.name()),
            false => self.name().to_owned(),
        }
    }

    /// Returns true if the source can be read now and again later, and false if its data was collected earlier.
    fn is_live(&self) -> bool {
        false
    }

    /// Prepares data that takes long to open. The preparation happens once. Every call waits for it first, so that the
    /// client sees its progress.
    async fn open(&self, _progress: &Progress) -> Result<(), ReadError> {
        Ok(())
    }

    /// The source's current time: the clock for a live source, or the time of the newest collected data.
    async fn now(&self) -> Option<Timestamp> {
        self.is_live().then(Timestamp::now)
    }

    /// A view of this source with only one of its bundles. `bundle` is the full name of a bundle, or a part of a name
    /// that only one bundle contains.
    async fn only(&self, bundle: &str) -> Result<Arc<dyn Backend>, ReadError> {
        Err(ReadError::NotHeld {
            what: format!("bundle `{bundle}`"),
            source_name: self.name().into(),
            why: Some("this source has no bundles; omit the parameter `bundle`".into()),
            instead: Vec::new(),
        })
    }

    /// The nodes that can be read, sorted by name. The caller sets the time limit.
    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError>;

    /// Which data the source has for each node. Callers can read it before any other question.
    async fn coverage(&self) -> Result<Coverage, ReadError>;

    /// Runs a command, or returns its recorded output.
    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError>;

    /// Returns the output of a command that was run when a bundle was collected. No server runs such a command, because
    /// it prints keys or does more than read.
    async fn recorded(
        &self,
        at: &CommandTarget,
        command: &'static str,
    ) -> Result<ReadValue<Output>, ReadError> {
        Err(ReadError::NotCollected {
            what: format!("`{command}`"),
            node: at.node.clone(),
            source_name: self.name().into(),
            why: Some("this command is never run; its output exists only in bundles that recorded it".into()),
            instead: Vec::new(),
        })
    }

    /// Runs a command that does not end by itself, for `time`, which begins when the command starts. If the call has
    /// less time left, the command runs for less, and a note says so. Only a live source can do this.
    async fn follow(
        &self,
        _at: &CommandTarget,
        argv: &Argv,
        _time: Duration,
    ) -> Result<ReadValue<Output>, ReadError> {
        let what = format!("`{argv}`, which reports events while it runs,");
        let why = Some("this needs a live source; a bundle cannot answer it".into());
        Err(ReadError::NotHeld { what, source_name: self.name().into(), why, instead: Vec::new() })
    }

    /// Runs a program that watches a node for `time`, and keeps its standard output, which may be binary and has no
    /// secrets removed, in `into`. The program ends earlier if it ends by itself or prints more than `into` keeps. The
    /// output of the result has only the standard error and the exit status. After an error `into` has what arrived.
    /// Only a live source can do this.
    async fn capture(
        &self,
        _at: &CommandTarget,
        argv: &Argv,
        _time: Duration,
        _into: &CapturePart,
    ) -> Result<ReadValue<Output>, ReadError> {
        let what = format!("a capture with `{}`", argv.program());
        let why = Some("this needs a live source; a bundle cannot answer it".into());
        Err(ReadError::NotHeld { what, source_name: self.name().into(), why, instead: Vec::new() })
    }

    /// Passes the content of a file that is no text, such as a capture of packets, to `read`. A file that is compressed
    /// with gzip, xz or zstd is decompressed. Only a source that consists of files has them.
    async fn binary(&self, bundle: &str, path: &str, _read: FileVisitor) -> Result<ReadValue<()>, ReadError> {
        Err(ReadError::not_held(format!("{path} in {bundle}"), self.name()))
    }

    /// The schema of a database: the schema that its server uses, or the schema in its file.
    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError>;

    /// Rows of a database, one [`Rows`] per select. All rows belong to the same moment.
    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError>;

    /// The database with its transaction log. Only a source that can read the database file has it.
    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError>;

    /// The kinds of Kubernetes objects that the source has.
    async fn kinds(&self, _within: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        Err(ReadError::not_held("Kubernetes objects", self.name()))
    }

    /// Kubernetes objects, sorted by namespace and name, without managed fields and without the values of Secrets. An
    /// empty list means that the source has the kind, but no matching object.
    async fn objects(
        &self,
        query: &ObjectQuery,
        _within: Duration,
    ) -> Result<ReadValue<Vec<Value>>, ReadError> {
        Err(ReadError::not_held(query.to_string(), self.name()))
    }

    /// Objects in the columns that the API server prints, or `None` if no API server can print them.
    async fn table(
        &self,
        _query: &ObjectQuery,
        _within: Duration,
    ) -> Result<Option<ReadValue<Table>>, ReadError> {
        Ok(None)
    }

    /// The files whose paths contain a text, sorted by bundle and path. Only a source that consists of files has them.
    async fn files(&self, _contains: &str) -> Result<ReadValue<Vec<BundleFile>>, ReadError> {
        Err(ReadError::not_held("a list of files", self.name()))
    }

    /// A log or another file, from its beginning or from the first line that the query still needs.
    async fn log(&self, query: &LogQuery, _within: Duration) -> Result<ReadValue<LogStream>, ReadError> {
        Err(ReadError::not_held(query.to_string(), self.name()))
    }

    /// Ends everything that outlives its call. Callers do not use the source afterwards.
    async fn close(&self) {}
}

/// A function that reads the content of a file from its beginning. It runs on a thread that may block.
pub type FileVisitor = Box<dyn FnOnce(&mut dyn std::io::Read) -> std::io::Result<()> + Send>;

/// What a command printed. Output is never cut silently: a note of its [`ReadValue`] says that it was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// The exit status, if known; `128 + n` if signal n ended the program.
    pub status: Option<i32>,
}

/// Returns true if a program gave a usable answer although its exit status is an error.
///
/// sysctl(8) exits with 1 if it cannot read one of hundreds of keys, after it has printed the others.
pub(crate) fn answered(program: &str, status: i32) -> bool {
    program == "sysctl" && status == 1
}

/// Splits the standard error of a successful program into warnings and banners, each as notes. A banner is a line that
/// the program prints at every run: conntrack(8) prints how many entries there were, nft(8) says that other programs
/// own some tables.
pub(crate) fn warnings(program: &str, stderr: &str) -> (Vec<String>, Vec<String>) {
    let is_banner = |line: &&str| {
        line.ends_with("flow entries have been shown.")
            || line.ends_with("flow events have been shown.")
            || line.ends_with("is managed by iptables-nft, do not touch!")
    };
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let (banners, warnings): (Vec<&str>, Vec<&str>) = lines.partition(is_banner);
    let said = |lines: Vec<&str>| format!("stderr of {program}: {}", lines.join("\n"));
    let said = |lines: Vec<&str>| (!lines.is_empty()).then(|| said(lines)).into_iter().collect();
    (said(warnings), said(banners))
}

/// Names the data and its replacement, neither of which was collected: `A (or B)`, and `A (or B, or C)` if `A` already
/// has a replacement.
fn joined(what: &str, other: &str) -> String {
    match what.strip_suffix(')').filter(|what| what.contains(" (or ")) {
        Some(before) => format!("{before}, or {other})"),
        None => format!("{what} (or {other})"),
    }
}

impl Output {
    /// The end of the output, at most 400 characters. It usually says why a command failed or did not finish.
    pub(crate) fn last(&self) -> String {
        /// The maximum length in characters.
        const ENOUGH: usize = 400;
        let text = String::from_utf8_lossy(if self.stderr.is_empty() { &self.stdout } else { &self.stderr });
        let text = text.trim();
        let begin = text.char_indices().rev().nth(ENOUGH - 1).map_or(0, |(at, _)| at);
        text.get(begin..).unwrap_or_default().to_owned()
    }
}

/// Why a read returned nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source does not have a node's data: it was not collected. This is not the same as empty.
    #[error("{what} of {node} was not collected in {source_name}{}", because(why.as_deref()))]
    NotCollected {
        /// What the caller asked for.
        what: String,
        /// The node.
        node: NodeName,
        /// The name of the source.
        source_name: String,
        /// The reason, if known: the collector tried and failed, or the file is a link to a missing target.
        why: Option<String>,
        /// What the source has of this node.
        instead: Vec<String>,
    },
    /// The source does not have data that belongs to no single node: objects, the log of a pod.
    #[error("{what} is not available in {source_name}{}", because(why.as_deref()))]
    NotHeld {
        /// What the caller asked for.
        what: String,
        /// The name of the source.
        source_name: String,
        /// The reason, if known.
        why: Option<String>,
        /// What the source has of the same kind.
        instead: Vec<String>,
    },
    /// The command exited with an error.
    #[error("`{command}` failed on {node} with exit status {status}: {stderr}")]
    Failed {
        /// The command.
        command: String,
        /// The node where it ran.
        node: NodeName,
        /// Its exit status.
        status: i32,
        /// What it printed.
        stderr: String,
    },
    /// The command took too long and was stopped.
    #[error(
        "`{command}` did not finish on {node} within {seconds} s (it printed {printed} bytes{})",
        ending(last)
    )]
    TimedOut {
        /// The command.
        command: String,
        /// The node where it ran.
        node: NodeName,
        /// The time limit in seconds.
        seconds: u64,
        /// The number of bytes that it had printed.
        printed: usize,
        /// The end of its output.
        last: String,
    },
    /// A read or a computation took longer than its time limit.
    #[error("{what} took longer than {seconds} s")]
    TooLate {
        /// What did not finish.
        what: String,
        /// The time limit in seconds.
        seconds: u64,
    },
    /// The network interface does not exist.
    #[error("there is no network interface `{name}` on {node} ({place})")]
    NoInterface {
        /// The name that the caller gave.
        name: String,
        /// The place: host, or a pod.
        place: String,
        /// The node.
        node: NodeName,
        /// The existing interfaces, the most similar names first.
        known: Vec<String>,
    },
    /// The program is not installed at this place.
    #[error("{program} is not installed for {place} on {node}")]
    NoProgram {
        /// The program.
        program: String,
        /// The place.
        place: String,
        /// The node.
        node: NodeName,
    },
    /// The data is larger than a server may hold in memory.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// The data.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The data exists, but could not be read.
    #[error("{what} could not be read")]
    Unreadable {
        /// The data.
        what: String,
        /// The reason.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A live cluster returned nothing.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The select does not match the schema of the database.
    #[error(transparent)]
    Select(#[from] ovsdb::SelectError),
    /// The query does not fit on a command line.
    #[error("the query does not fit on a command line; use fewer conditions")]
    Query(#[source] BadWord),
}

/// Formats the end of an output, to follow its length.
fn ending(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!("; its output ended with: {last}") }
}

/// Formats a reason in parentheses, or returns an empty text.
fn because(why: Option<&str>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}

impl ReadError {
    /// An error for data that exists but could not be read.
    pub fn unreadable(
        what: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable { what: what.into(), cause: cause.into() }
    }

    /// An error for a command that was stopped at its time limit. The end of its output shows how far it came.
    pub(crate) fn timed_out(
        command: impl Into<String>,
        node: &NodeName,
        within: Duration,
        output: &Output,
    ) -> Self {
        Self::TimedOut {
            command: command.into(),
            node: node.clone(),
            seconds: within.as_secs(),
            printed: output.stdout.len(),
            last: output.last(),
        }
    }

    /// An error for data that the source does not have, without a reason.
    pub fn not_held(what: impl Into<String>, source_name: impl Into<String>) -> Self {
        Self::NotHeld { what: what.into(), source_name: source_name.into(), why: None, instead: Vec::new() }
    }

    /// Combines the errors of two ways to read the same data into one error, if both say "not collected".
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::NotCollected { what, node, source_name, why, instead },
                Self::NotCollected { what: other, why: reason, .. },
            ) => {
                let why = match (why, reason) {
                    (Some(why), Some(reason)) if why != reason => Some(format!("{why}; {reason}")),
                    (why, reason) => why.or(reason),
                };
                Self::NotCollected { what: joined(&what, &other), node, source_name, why, instead }
            }
            (first, _) => first,
        }
    }

    /// Returns true if another way to read the same data is worth a try.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::NotCollected { .. } | Self::NotHeld { .. } | Self::NoProgram { .. } => true,
            Self::Cluster(e) => e.is_absence(),
            _ => false,
        }
    }

    /// One or two sentences that say what to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NotCollected { instead, node, .. } if instead.is_empty() => {
                format!("This source has no data of this kind from {node}. The server's subcommand `coverage` lists what the source has.")
            }
            Self::NotHeld { instead, .. } if instead.is_empty() => {
                "This source has no such data. Use a live cluster or, for objects and logs of pods, a must-gather.".into()
            }
            Self::NotCollected { instead, .. } | Self::NotHeld { instead, .. } => format!("Collected instead: {}.", instead.join(", ")),
            Self::Failed { .. } => "Read the program's message, and check whether its daemon runs.".into(),
            Self::TimedOut { .. } => {
                "Ask for less (a table, a match, one node), or raise timeout_seconds. If that does not help, check whether the daemon hangs.".into()
            }
            Self::TooLate { .. } => "Ask for less (a namespace, a name, a shorter period), or raise timeout_seconds.".into(),
            Self::NoProgram { .. } => "Run the server on a host that has the program, or use a bundle that recorded its output.".into(),
            Self::NoInterface { known, .. } => {
                let shown: Vec<&str> = known.iter().take(20).map(String::as_str).collect();
                format!("Did you mean: {}?", shown.join(", "))
            }
            Self::TooLarge { .. } => "Ask for fewer columns or rows.".into(),
            Self::Unreadable { .. } => "Check the path and its permissions. The rest of this source still works.".into(),
            Self::Cluster(e) => e.hint(),
            Self::Select(_) => "Use one of the names above, spelled exactly as shown.".into(),
            Self::Query(_) => "Use fewer or shorter conditions.".into(),
        }
    }
}
