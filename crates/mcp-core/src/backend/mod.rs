//! Where data comes from: a running node, or something recorded earlier.
//!
//! A tool does not know which. It names a node and a place, asks for rows, a command's output or a file,
//! and gets the answer with its origin, or an error that tells absent from empty and from failed.

mod bundle;
mod cluster;
mod coverage;
mod host_log;
mod journal;
mod live;
mod local;
pub(crate) mod netns;
mod nofollow;
mod recorded;

pub use bundle::Bundle;
pub(crate) use cluster::ClusterArgs;
pub use cluster::{Cluster, ClusterError};
pub use coverage::{Area, Coverage, Held, NodeCoverage, SourceCoverage, State};
pub use local::{BadLocal, Local, LocalNode};
pub use recorded::{Recorded, Recorder};

pub(crate) use local::{PATH, drain};

use crate::{
    Argv, Db, Kind, LogQuery, LogStream, NodeName, ObjectQuery, Progress, Table, Target, argv::BadWord,
};
use async_trait::async_trait;
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// A source of read-only data.
///
/// **Invariant:** no method can change what it reads from.
///
/// A new method needs two layers that want it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// What this is, for the first line of an answer: `must-gather.tar.xz`, `local`.
    fn name(&self) -> &str;

    /// What the instructions of the server say about the source: which cluster or files it is, of which time, and what was
    /// not collected. A live source gives its name only.
    async fn about(&self) -> String {
        match self.is_live() {
            true => format!("{}, live", self.name()),
            false => self.name().to_owned(),
        }
    }

    /// Can it be asked now, and again in a second? Else it was collected earlier.
    fn is_live(&self) -> bool {
        false
    }

    /// Makes ready to answer what takes long to open. Done once; every call asks for it first, to tell its client how
    /// far that is.
    async fn open(&self, _progress: &Progress) -> Result<(), ReadError> {
        Ok(())
    }

    /// What "now" means here: the time for a source that can be asked now, else the time of what was collected last.
    async fn now(&self) -> Option<Timestamp> {
        self.is_live().then(Timestamp::now)
    }

    /// A view of this source that has only one of its bundles: the bundle of this name, or the only bundle whose name
    /// contains this text.
    async fn only(&self, bundle: &str) -> Result<Arc<dyn Backend>, ReadError> {
        Err(ReadError::NotHeld {
            what: format!("bundle `{bundle}`"),
            source_name: self.name().into(),
            why: Some("this source does not consist of bundles; leave out the parameter `bundle`".into()),
            instead: Vec::new(),
        })
    }

    /// The nodes that can be read, by name. Who asks says how long that may take.
    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError>;

    /// What there is to read of each node, before any question is asked.
    async fn coverage(&self) -> Result<Coverage, ReadError>;

    /// The output of a command.
    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError>;

    /// The output of a command that somebody ran when a bundle was collected, and that no server runs: it prints keys,
    /// or does more than read.
    async fn recorded(&self, at: &Target, command: &'static str) -> Result<Read<Output>, ReadError> {
        Err(ReadError::NotCollected {
            what: format!("`{command}`"),
            node: at.node.clone(),
            source_name: self.name().into(),
            why: Some("it is read where it was recorded, never run".into()),
            instead: Vec::new(),
        })
    }

    /// What a command prints that would go on for ever, in so much time, which begins when it does. Less if the call has
    /// less, which is in the notes then. Only where something can still happen.
    async fn follow(&self, _at: &Target, argv: &Argv, _time: Duration) -> Result<Read<Output>, ReadError> {
        let what = format!("`{argv}`, which tells what happens while it runs,");
        let why = Some("what was collected earlier has no present".into());
        Err(ReadError::NotHeld { what, source_name: self.name().into(), why, instead: Vec::new() })
    }

    /// The schema of a database: the one that its server uses, or that its file holds.
    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError>;

    /// Rows of a database, one [`Rows`] per select, all of one moment.
    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError>;

    /// The database with its log of transactions. Only where its file can be read.
    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError>;

    /// The kinds of Kubernetes objects that it has.
    async fn kinds(&self, _within: Duration) -> Result<Read<Vec<Kind>>, ReadError> {
        Err(ReadError::not_held("Kubernetes objects", self.name()))
    }

    /// Kubernetes objects, by namespace and name, without managed fields and without the values of Secrets. None is an
    /// answer: the kind is there, and has no such object.
    async fn objects(&self, query: &ObjectQuery, _within: Duration) -> Result<Read<Vec<Value>>, ReadError> {
        Err(ReadError::not_held(query.to_string(), self.name()))
    }

    /// Objects as the API server prints them; none where there is no server to do so.
    async fn table(&self, _query: &ObjectQuery, _within: Duration) -> Result<Option<Read<Table>>, ReadError> {
        Ok(None)
    }

    /// The files whose paths contain a text, by bundle and path. Only where the source consists of files.
    async fn files(&self, _contains: &str) -> Result<Read<Vec<BundleFile>>, ReadError> {
        Err(ReadError::not_held("a list of files", self.name()))
    }

    /// A log or another file, from its beginning or from as late as the query allows.
    async fn log(&self, query: &LogQuery, _within: Duration) -> Result<Read<LogStream>, ReadError> {
        Err(ReadError::not_held(query.to_string(), self.name()))
    }

    /// Ends what outlives its calls. Nothing is asked afterwards.
    async fn close(&self) {}
}

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// The name of the bundle.
    pub bundle: String,
    /// The path inside the bundle.
    pub path: String,
    /// The size in bytes, as the bundle tells it. The file may be packed.
    pub size: u64,
    /// When the file was written, as the bundle tells it.
    pub modified: Option<Timestamp>,
    /// Whether each reading unpacks an archive again up to this file, so that many readings take long.
    pub is_packed: bool,
}

/// What was read and where it came from.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// What was read.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
    /// What is odd about it: a truncated file, a warning on stderr.
    pub notes: Vec<String>,
}

/// Where something was read and when that was true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, command or query: `network_logs/ovnk_database_store/ovnkube-node-mk45n_nbdb`.
    pub what: String,
    /// When the data was collected, as far as the source tells.
    pub when: Option<Timestamp>,
    /// The bundle that it was in, where the source is made of bundles.
    pub bundle: Option<String>,
    /// What is known beside it, for who asks where an answer comes from: copies that were not read, what a program says
    /// whenever it runs.
    pub beside: Vec<String>,
    /// How much of it there is.
    pub extent: Extent,
}

/// How much of what a cluster has a source gave. What is missing from a part proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// All that the cluster had at that time.
    #[default]
    Whole,
    /// What was collected: the cluster may have had more.
    Part,
    /// What can still be read of a damaged file.
    Damaged,
}

impl Origin {
    /// Of this, at this time.
    pub fn new(what: impl Into<String>, when: Option<Timestamp>) -> Self {
        Self { what: what.into(), when, bundle: None, beside: Vec::new(), extent: Extent::Whole }
    }

    /// It was in this bundle.
    pub(crate) fn in_bundle(self, bundle: impl Into<String>) -> Self {
        Self { bundle: Some(bundle.into()), ..self }
    }

    /// With what is known beside it.
    pub(crate) fn beside(self, beside: Vec<String>) -> Self {
        Self { beside, ..self }
    }

    /// So much of it.
    pub(crate) fn with_extent(self, extent: Extent) -> Self {
        Self { extent, ..self }
    }

    /// When, to the second.
    pub(crate) fn time(&self) -> String {
        match self.when {
            Some(when) => when.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            None => "time unknown".into(),
        }
    }
}

/// What a command printed. Never cut silently: a cut is in the notes of its [`Read`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit status, where one is known; `128 + n` for a death by signal n.
    pub status: Option<i32>,
}

/// Did a program answer although it ended with an error?
///
/// sysctl(8) ends with 1 when one of hundreds of keys cannot be read, after it has printed the others.
pub(crate) fn answered(program: &str, status: i32) -> bool {
    program == "sysctl" && status == 1
}

/// What a program that succeeded wrote to standard error, as notes; and what it writes there whenever it runs, which is
/// no news: conntrack(8) how many entries there were, nft(8) that other programs made some tables.
pub(crate) fn warnings(program: &str, stderr: &str) -> (Vec<String>, Vec<String>) {
    let is_banner = |line: &&str| {
        line.ends_with("flow entries have been shown.")
            || line.ends_with("is managed by iptables-nft, do not touch!")
    };
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let (banners, warnings): (Vec<&str>, Vec<&str>) = lines.partition(is_banner);
    let said = |lines: Vec<&str>| format!("{program} said: {}", lines.join("\n"));
    let said = |lines: Vec<&str>| (!lines.is_empty()).then(|| said(lines)).into_iter().collect();
    (said(warnings), said(banners))
}

impl Output {
    /// The last lines, in one: why a command failed or was not finished, if anything says it.
    pub(crate) fn last(&self) -> String {
        /// In characters.
        const ENOUGH: usize = 400;
        let text = String::from_utf8_lossy(if self.stderr.is_empty() { &self.stdout } else { &self.stderr });
        let text = text.trim();
        let begin = text.char_indices().rev().nth(ENOUGH - 1).map_or(0, |(at, _)| at);
        text.get(begin..).unwrap_or_default().to_owned()
    }
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source does not hold it: it was not collected. Not the same as empty.
    #[error("{what} of {node} was not collected in {source_name}{}", because(why.as_deref()))]
    NotCollected {
        /// What was asked for.
        what: String,
        /// Of which node.
        node: NodeName,
        /// The source.
        source_name: String,
        /// Why, where that is known: it was tried, it is a link to what is not there.
        why: Option<String>,
        /// What the source holds of this node.
        instead: Vec<String>,
    },
    /// The source does not hold it, and it is no node's: objects, a pod's log.
    #[error("{what} is not held in {source_name}{}", because(why.as_deref()))]
    NotHeld {
        /// What was asked for.
        what: String,
        /// The source.
        source_name: String,
        /// Why, where that is known.
        why: Option<String>,
        /// What the source holds of that sort.
        instead: Vec<String>,
    },
    /// The command ended with an error.
    #[error("`{command}` failed on {node} with exit status {status}: {stderr}")]
    Failed {
        /// The command.
        command: String,
        /// Where it ran.
        node: NodeName,
        /// Its exit status.
        status: i32,
        /// What it said.
        stderr: String,
    },
    /// The command took too long and was ended.
    #[error(
        "`{command}` did not finish on {node} within {seconds} s (it had printed {printed} bytes{})",
        ending(last)
    )]
    TimedOut {
        /// The command.
        command: String,
        /// Where it ran.
        node: NodeName,
        /// The limit.
        seconds: u64,
        /// Bytes that had arrived.
        printed: usize,
        /// The end of them.
        last: String,
    },
    /// What is asked of the cluster took too long.
    #[error("{what} was not finished within {seconds} s")]
    TooLate {
        /// What.
        what: String,
        /// The limit.
        seconds: u64,
    },
    /// The call's time was over before all was read or computed.
    #[error("{what} was not finished when the time of the call was over")]
    OutOfTime {
        /// What.
        what: String,
    },
    /// There is no such network interface.
    #[error("there is no network interface `{name}` on {node} ({place})")]
    NoInterface {
        /// The name that was given.
        name: String,
        /// The place.
        place: String,
        /// The node.
        node: NodeName,
        /// Those that are there, the most alike first.
        known: Vec<String>,
    },
    /// The place has no such program.
    #[error("{program} is not installed where {place} of {node} was looked for")]
    NoProgram {
        /// The program.
        program: String,
        /// The place.
        place: String,
        /// The node.
        node: NodeName,
    },
    /// More than a server may hold in memory.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is there, but could not be read.
    #[error("{what} could not be read")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A live cluster gave nothing.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The select does not fit the database.
    #[error(transparent)]
    Select(#[from] ovsdb::SelectError),
    /// The question does not fit on a command line.
    #[error("the query cannot be asked: ask for fewer conditions")]
    Query(#[source] BadWord),
}

/// The end of an output, to be put after its length.
fn ending(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!(", at last: {last}") }
}

/// A reason, to be put after what it is the reason of.
fn because(why: Option<&str>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}

impl ReadError {
    /// Something is there, but could not be read.
    pub fn unreadable(
        what: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable { what: what.into(), cause: cause.into() }
    }

    /// A command was ended because its time was over. What had arrived tells how far it was.
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

    /// The source does not hold it.
    pub fn not_held(what: impl Into<String>, source_name: impl Into<String>) -> Self {
        Self::NotHeld { what: what.into(), source_name: source_name.into(), why: None, instead: Vec::new() }
    }

    /// Neither the one nor the other reading of the same thing is there.
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
                Self::NotCollected { what: format!("{what} or {other}"), node, source_name, why, instead }
            }
            (first, _) => first,
        }
    }

    /// Would another reading of the same thing be worth a try?
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::NotCollected { .. } | Self::NotHeld { .. } | Self::NoProgram { .. } => true,
            Self::Cluster(e) => e.is_absence(),
            _ => false,
        }
    }

    /// One sentence on what to do instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NotCollected { instead, node, .. } if instead.is_empty() => {
                format!("This source holds nothing of {node} in this layer; `coverage` on the command line lists what it holds.")
            }
            Self::NotHeld { instead, .. } if instead.is_empty() => {
                "This source has nothing of that sort; a must-gather or a live cluster has.".into()
            }
            Self::NotCollected { instead, .. } | Self::NotHeld { instead, .. } => format!("Collected instead: {}.", instead.join(", ")),
            Self::Failed { .. } => "Read what the program said, and check whether its daemon runs.".into(),
            Self::TimedOut { .. } => {
                "Ask for less (a table, a match, one node), or raise timeout_seconds; a daemon that hangs does not answer either.".into()
            }
            Self::TooLate { .. } | Self::OutOfTime { .. } => "Ask for less (a namespace, a name, a shorter time), or raise timeout_seconds.".into(),
            Self::NoProgram { .. } => "Run the server where the program is, or ask a bundle that recorded it.".into(),
            Self::NoInterface { known, .. } => {
                let shown: Vec<&str> = known.iter().take(20).map(String::as_str).collect();
                format!("There are, the most alike first: {}; ip_link_show lists all.", shown.join(", "))
            }
            Self::TooLarge { .. } => "Ask for fewer columns or rows.".into(),
            Self::Unreadable { .. } => "The rest of this source can still be asked.".into(),
            Self::Cluster(e) => e.hint(),
            Self::Select(_) => "Use the names given above as they stand.".into(),
            Self::Query(_) => "Give fewer or shorter conditions.".into(),
        }
    }
}
