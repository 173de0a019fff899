//! Runs this host's own programs, in the namespaces of one or more nodes.
//!
//! `--local` alone means this host: a server inside `kubectl debug node/…` uses this mode. `--local NODE=PID` enters
//! the network, mount and UTS namespaces of a process, so that one server can serve several nodes: the host as seen
//! from a debug container (`NODE=1` with hostPID), or the nodes of the lab.

mod capture;

use super::{
    AreaState, Backend, Coverage, DataArea, NodeCoverage, Origin, Output, ReadError, ReadValue, answered,
    live::DatabaseServers, netns, nofollow::Root, warnings,
};
use crate::{
    Argv, CapturePart, CommandPlace, CommandTarget, Db, LogQuery, LogSource, LogStream, NodeName, PodRef,
    commands,
};
use async_trait::async_trait;
use futures::future::{join_all, join3};
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use std::{
    collections::BTreeMap, ffi::OsString, io::Read as _, os::unix::process::ExitStatusExt, path::PathBuf,
    process::Stdio, str::FromStr, sync::Arc, time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
};

/// The output limit of a command, in bytes. It is more than any command prints that a tool runs; the answers of a
/// database server are the largest.
const MAX_OUTPUT: u64 = 512 << 20;
/// The output limit of a command that reports events for a few seconds, in bytes.
const MAX_FOLLOWED: u64 = 16 << 20;
/// The limit of standard error, in bytes.
const MAX_ERROR: u64 = 1 << 20;
/// How much of a failed program's standard output an error quotes, in characters.
const MAX_SAID: usize = 1000;
/// The search path for programs. The environment of every command is cleared.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A node of a local backend, as written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNode {
    name: NodeName,
    /// A process in the node's namespaces, or `None` for this process's own namespaces.
    process: Option<Process>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Process {
    Pid(u32),
    /// A file that contains the process ID. It is read at each call, because the process may have been restarted.
    PidFile(PathBuf),
}

/// The text does not describe a node of a local backend.
#[derive(Debug, thiserror::Error)]
pub enum BadLocal {
    /// `NODE` is not a valid node name.
    #[error(transparent)]
    Name(#[from] crate::name::BadName),
    /// The text has no `=`, or neither a process ID nor an absolute path after it.
    #[error("`{0}` is not of the form NODE=PID or NODE=/path/to/pidfile")]
    Form(String),
}

impl FromStr for LocalNode {
    type Err = BadLocal;
    fn from_str(text: &str) -> Result<Self, BadLocal> {
        let form = || BadLocal::Form(text.into());
        let (name, process) = text.split_once('=').ok_or_else(form)?;
        let process = match process.parse() {
            Ok(pid) => Process::Pid(pid),
            Err(_) if process.starts_with('/') => Process::PidFile(process.into()),
            Err(_) => return Err(form()),
        };
        Ok(Self { name: name.parse()?, process: Some(process) })
    }
}

impl LocalNode {
    /// This host, in the namespaces of this process.
    pub fn this_host() -> std::io::Result<Self> {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        let name = name.trim().to_lowercase().parse().map_err(std::io::Error::other)?;
        Ok(Self { name, process: None })
    }

    fn pid(&self) -> Result<Option<u32>, ReadError> {
        match &self.process {
            None => Ok(None),
            Some(Process::Pid(pid)) => Ok(Some(*pid)),
            Some(Process::PidFile(path)) => {
                let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
                    ReadError::unreadable(format!("{}, the PID file of {}", path.display(), self.name), e)
                };
                let text = std::fs::read_to_string(path).map_err(|e| failed(e.into()))?;
                text.trim().parse().map(Some).map_err(|e: std::num::ParseIntError| failed(e.into()))
            }
        }
    }
}

impl LocalNode {
    /// The root directory of the node's file system.
    fn root(&self) -> Result<PathBuf, ReadError> {
        Ok(match self.pid()? {
            Some(pid) => PathBuf::from(format!("/proc/{pid}/root")),
            None => PathBuf::from("/"),
        })
    }
}

/// A source that runs programs on this host.
pub struct LocalBackend {
    nodes: BTreeMap<NodeName, LocalNode>,
    databases: DatabaseServers,
}

impl LocalBackend {
    /// Creates a backend for these nodes.
    pub fn new(nodes: Vec<LocalNode>) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        Self { nodes, databases: DatabaseServers::default() }
    }

    fn node(&self, name: &NodeName) -> Result<&LocalNode, ReadError> {
        self.nodes.get(name).ok_or_else(|| ReadError::NotCollected {
            what: "the data".into(),
            node: name.clone(),
            source_name: self.name().into(),
            why: None,
            instead: Vec::new(),
        })
    }

    async fn namespaces(&self, at: &CommandTarget) -> Result<Namespaces, ReadError> {
        let process = self.node(&at.node)?.pid()?;
        let network = match &at.place {
            CommandPlace::Pod(pod) => Some(self.network_of(at, pod, process).await?),
            _ => None,
        };
        Ok(Namespaces { process, network })
    }

    /// Asks the database servers of a node, and marks the areas whose server does not answer.
    async fn databases_of(&self, of: &mut NodeCoverage) {
        /// The time limit of a question. A server on the same host answers at once.
        const WITHIN: Duration = Duration::from_secs(3);
        let node = of.node.clone();
        let ask = |db: Db| {
            let at = CommandTarget::new(node.clone(), db.place(), WITHIN);
            async move { self.databases.ask(self, &at, db).await.err().map(|e| crate::error::chain(&e)) }
        };
        let (nb, sb, ovs) = join3(ask(Db::Nb), ask(Db::Sb), ask(Db::OpenVSwitch)).await;
        for held in &mut of.areas {
            let problem = match held.area {
                DataArea::Northbound => &nb,
                DataArea::Southbound => &sb,
                DataArea::OpenVSwitch | DataArea::Dataplane => &ovs,
                _ => &None,
            };
            if let Some(problem) = problem {
                held.state = AreaState::Absent;
                held.details.push(problem.clone());
            }
        }
    }

    /// The network namespace of a pod, as a path that this process can open.
    async fn network_of(
        &self,
        at: &CommandTarget,
        pod: &PodRef,
        process: Option<u32>,
    ) -> Result<PathBuf, ReadError> {
        let on = |place| CommandTarget { place, ..at.clone() };
        let ports =
            self.rows(&on(Db::OpenVSwitch.place()), Db::OpenVSwitch, &[netns::select(pod)]).await?.value;
        let links = self.command(&on(CommandPlace::Host), &commands::links()).await?.value;
        let links = String::from_utf8_lossy(&links.stdout);
        let ports =
            ports.first().ok_or_else(|| ReadError::unreadable("the ports of Open vSwitch", "no reply"))?;
        let name = netns::name(at, pod, netns::of_rows(ports).as_deref(), &links, self.name())?;
        let root =
            process.map_or_else(|| PathBuf::from("/"), |pid| PathBuf::from(format!("/proc/{pid}/root")));
        Ok(root.join("run/netns").join(name))
    }
}

#[async_trait]
impl Backend for LocalBackend {
    fn name(&self) -> &str {
        "local"
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        Ok(self.nodes.keys().cloned().collect())
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        let line = |node: &LocalNode| match node.pid() {
            Ok(None) => format!("{} is this host", node.name),
            Ok(Some(pid)) => format!("{} uses the namespaces of process {pid}", node.name),
            Err(e) => format!("{}: {}", node.name, crate::error::chain(&e)),
        };
        let areas = [
            DataArea::Northbound,
            DataArea::Southbound,
            DataArea::OpenVSwitch,
            DataArea::Dataplane,
            DataArea::Kernel,
            DataArea::Ipsec,
            DataArea::Frr,
            DataArea::Logs,
        ];
        let mut coverage = Coverage::live(self.name(), self.nodes.keys().cloned().collect(), &areas);
        join_all(coverage.nodes.iter_mut().map(|node| self.databases_of(node))).await;
        coverage.notes = self.nodes.values().map(line).collect();
        Ok(coverage)
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        let namespaces = self.namespaces(at).await?;
        let output = match run(at, argv, &namespaces, MAX_OUTPUT).await? {
            CommandEnd::ByItself(output) => output,
            CommandEnd::ByTime(output) => {
                return Err(ReadError::timed_out(argv.to_string(), &at.node, at.within, &output));
            }
        };
        read(at, argv, &namespaces, output)
    }

    async fn follow(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
    ) -> Result<ReadValue<Output>, ReadError> {
        let namespaces = self.namespaces(at).await?;
        let (what, limit) = (format!("the output of `{argv}`"), MAX_FOLLOWED);
        let part = CapturePart::new("", limit).map_err(|e| ReadError::unreadable(&what, e))?;
        let mut output = capture::run(at, argv, &namespaces, time, &part).await?;
        if part.is_full() {
            return Err(ReadError::TooLarge { what, limit });
        }
        let all = part.reader().read_to_end(&mut output.stdout);
        all.map_err(|e| ReadError::unreadable(&what, e))?;
        read(at, argv, &namespaces, output)
    }

    async fn capture(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
        into: &CapturePart,
    ) -> Result<ReadValue<Output>, ReadError> {
        let namespaces = self.namespaces(at).await?;
        let mut read = read(at, argv, &namespaces, capture::run(at, argv, &namespaces, time, into).await?)?;
        // The caller reads what the program says about its capture.
        read.notes.clear();
        Ok(read)
    }

    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.databases.schema(self, at, db).await
    }

    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        self.databases.rows(self, at, db, selects).await
    }

    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        let root = self.node(&at.node)?.root()?;
        let limit = MAX_OUTPUT;
        let what = format!("the file of {db} on {}", at.node);
        let failed = |e: std::io::Error| ReadError::unreadable(&what, e);
        let root = Root::open(&root).map_err(failed)?;
        let Some((path, file)) = root.first_existing(commands::database_files(db).iter().copied()) else {
            return Err(ReadError::NotCollected {
                what: format!("{what} ({})", commands::database_files(db).join(" or ")),
                node: at.node.clone(),
                source_name: self.name().into(),
                why: None,
                instead: Vec::new(),
            });
        };
        let file = file.map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > limit {
            return Err(ReadError::TooLarge { what, limit });
        }
        let mut bytes = Vec::new();
        tokio::fs::File::from_std(file).take(limit).read_to_end(&mut bytes).await.map_err(failed)?;
        let database = Database::open(bytes).map_err(|e| ReadError::unreadable(what, e))?;
        // The server may be in the middle of an append, so an incomplete last record is not damage here.
        let origin = Origin::new(path, Some(Timestamp::now()));
        Ok(ReadValue { value: Arc::new(database), origin, notes: Vec::new() })
    }

    async fn log(&self, query: &LogQuery, within: Duration) -> Result<ReadValue<LogStream>, ReadError> {
        let LogSource::Host { node, log } = &query.source else {
            return Err(ReadError::not_held(query.to_string(), self.name()));
        };
        let root = self.node(node)?.root()?;
        match super::host_log::open(&root, node, self.name(), *log, query) {
            Err(ReadError::NotCollected { what, node, source_name, why, instead }) => {
                let at = CommandTarget::new(node.clone(), CommandPlace::Host, within);
                let namespaces = self.namespaces(&at).await?;
                let spawn = |argv: &Argv| spawn(&at, argv, &namespaces);
                let tried = super::journal::open(&at, *log, query, spawn).await?;
                tried.map_err(|journal| {
                    let why = why.into_iter().chain([journal]).collect::<Vec<_>>().join("; ");
                    ReadError::NotCollected { what, node, source_name, why: Some(why), instead }
                })
            }
            read => read,
        }
    }
}

/// Turns the output of a finished command into an answer or an error.
fn read(
    at: &CommandTarget,
    argv: &Argv,
    namespaces: &Namespaces,
    output: Output,
) -> Result<ReadValue<Output>, ReadError> {
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status {
        Some(0) => {}
        Some(status) if answered(argv.program(), status) => {}
        // nsenter(1) and execvp(3) exit with 127 if the program does not exist.
        Some(127) if namespaces.entered() => {
            return Err(no_program(at, argv));
        }
        status => {
            // vtysh(1) prints its errors to standard output.
            let said = || String::from_utf8_lossy(&output.stdout).chars().take(MAX_SAID).collect();
            return Err(ReadError::Failed {
                command: argv.to_string(),
                node: at.node.clone(),
                status: status.unwrap_or(-1),
                stderr: if stderr.is_empty() { said() } else { stderr },
            });
        }
    }
    let (notes, beside) = warnings(argv.program(), &stderr);
    let what = match &at.place {
        CommandPlace::Pod(_) => format!("{argv} in {}", at.place),
        _ => argv.to_string(),
    };
    Ok(ReadValue { value: output, origin: Origin::new(what, Some(Timestamp::now())).beside(beside), notes })
}

/// The namespaces that a command enters, if it does not run in this process's own.
#[derive(Debug, Default)]
struct Namespaces {
    /// The network, mount and UTS namespaces of this process ID.
    process: Option<u32>,
    /// The network namespace at this path.
    network: Option<PathBuf>,
}

impl Namespaces {
    fn entered(&self) -> bool {
        self.process.is_some() || self.network.is_some()
    }

    /// The options of nsenter(1). It opens all namespaces before it enters the first one, so paths are relative to this
    /// process.
    fn options(&self) -> Vec<OsString> {
        let target =
            self.process.iter().flat_map(|pid| [format!("--target={pid}"), "--mount".into(), "--uts".into()]);
        let mut options: Vec<OsString> = target.map(Into::into).collect();
        let mut network = OsString::from("--net");
        if let Some(path) = &self.network {
            network.push("=");
            network.push(path);
        }
        options.push(network);
        options
    }
}

/// How a command ended, with its output so far.
enum CommandEnd {
    ByItself(Output),
    ByTime(Output),
}

/// Starts a command. Dropping the handle kills it.
fn spawn(at: &CommandTarget, argv: &Argv, namespaces: &Namespaces) -> Result<Child, ReadError> {
    #[expect(clippy::disallowed_methods, reason = "the one place where a local command is run")]
    let new = tokio::process::Command::new;
    let mut command = if namespaces.entered() {
        let mut nsenter = new("nsenter");
        nsenter.args(namespaces.options()).args(["--", argv.program()]);
        nsenter
    } else {
        new(argv.program())
    };
    command
        .args(argv.words().iter().skip(1))
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => no_program(at, argv),
        _ => ReadError::unreadable(format!("`{argv}` on {}", at.node), e),
    })
}

fn no_program(at: &CommandTarget, argv: &Argv) -> ReadError {
    ReadError::NoProgram {
        program: argv.program().into(),
        place: at.place.to_string(),
        node: at.node.clone(),
    }
}

/// Runs a command until it ends, takes too long or prints too much. The command is killed if the caller goes away.
async fn run(
    at: &CommandTarget,
    argv: &Argv,
    namespaces: &Namespaces,
    limit: u64,
) -> Result<CommandEnd, ReadError> {
    let mut child = spawn(at, argv, namespaces)?;
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let mut output = Output::default();
    let finish = async {
        let (out, err) =
            tokio::join!(drain(out, &mut output.stdout, limit), drain(err, &mut output.stderr, MAX_ERROR),);
        out.and(err)?;
        child.wait().await
    };
    match tokio::time::timeout(at.within, finish).await {
        Ok(Ok(status)) => {
            output.status = status.code().or(status.signal().map(|signal| 128 + signal));
            Ok(CommandEnd::ByItself(output))
        }
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::FileTooLarge => {
            Err(ReadError::TooLarge { what: format!("the output of `{argv}`"), limit })
        }
        Ok(Err(e)) => Err(ReadError::unreadable(format!("the output of `{argv}`"), e)),
        Err(_) => Ok(CommandEnd::ByTime(output)),
    }
}

pub(crate) async fn drain(from: impl AsyncRead + Unpin, to: &mut Vec<u8>, limit: u64) -> std::io::Result<()> {
    from.take(limit + 1).read_to_end(to).await?;
    if to.len() as u64 > limit {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(())
}
