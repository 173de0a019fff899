//! This host's own programs, in the namespaces of one or more nodes.
//!
//! `--local` alone is this host: the mode of a server inside `kubectl debug node/…`. `--local NODE=PID` enters
//! the network, mount and UTS namespaces of a process, so that one server can stand for several nodes: the
//! host seen from a debug container (`NODE=1` with hostPID), or the nodes of the lab.

use super::{Area, Backend, Coverage, Origin, Output, Read, ReadError, live::Databases};
use crate::{Argv, Db, NodeName, Target, commands};
use async_trait::async_trait;
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use std::{
    collections::BTreeMap, os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio, str::FromStr,
    sync::Arc,
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// More than any command prints that a tool asks for: the answers of a database server are the largest.
const MAX_OUTPUT: u64 = 512 << 20;
/// More than a program needs to say what went wrong.
const MAX_ERROR: u64 = 1 << 20;
/// Where programs are looked for: the environment of every command is cleared.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A node of a local backend, as written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNode {
    name: NodeName,
    /// A process in its namespaces; none: this process's own.
    process: Option<Process>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Process {
    Pid(u32),
    /// A file that holds the process id, read at each call: the process may have been restarted.
    PidFile(PathBuf),
}

/// The text is no node of a local backend.
#[derive(Debug, thiserror::Error)]
pub enum BadLocal {
    /// No `NODE`.
    #[error(transparent)]
    Name(#[from] crate::name::BadName),
    /// No `=`, or neither a process id nor an absolute path after it.
    #[error("`{0}` is not NODE=PID or NODE=/path/of/a/pid/file")]
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
                    ReadError::unreadable(
                        format!("{}, which names a process of {}", path.display(), self.name),
                        e,
                    )
                };
                let text = std::fs::read_to_string(path).map_err(|e| failed(e.into()))?;
                text.trim().parse().map(Some).map_err(|e: std::num::ParseIntError| failed(e.into()))
            }
        }
    }
}

/// The backend.
pub struct Local {
    nodes: BTreeMap<NodeName, LocalNode>,
    databases: Databases,
}

impl Local {
    /// A backend of these nodes.
    pub fn new(nodes: Vec<LocalNode>) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        Self { nodes, databases: Databases::default() }
    }

    fn node(&self, name: &NodeName) -> Result<&LocalNode, ReadError> {
        self.nodes.get(name).ok_or_else(|| ReadError::NotCollected {
            what: "everything".into(),
            node: name.clone(),
            source_name: self.name().into(),
            why: None,
            instead: Vec::new(),
        })
    }
}

#[async_trait]
impl Backend for Local {
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
            Ok(Some(pid)) => format!("{} is the namespaces of process {pid}", node.name),
            Err(e) => format!("{}: {}", node.name, crate::error::chain(&e)),
        };
        let areas = [Area::Northbound, Area::Southbound, Area::OpenVSwitch, Area::Dataplane, Area::Kernel];
        let mut coverage = Coverage::live(self.name(), self.nodes.keys().cloned().collect(), &areas);
        coverage.notes = self.nodes.values().map(line).collect();
        Ok(coverage)
    }

    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        let pid = self.node(&at.node)?.pid()?;
        let output = run(at, argv, pid).await?;
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match output.status {
            Some(0) => {}
            // nsenter(1) and execvp(3) say 127 for a program that is not there.
            Some(127) if pid.is_some() => {
                return Err(ReadError::NoProgram {
                    program: argv.program().into(),
                    place: at.place.to_string(),
                    node: at.node.clone(),
                });
            }
            status => {
                return Err(ReadError::Failed {
                    command: argv.to_string(),
                    node: at.node.clone(),
                    status: status.unwrap_or(-1),
                    stderr,
                });
            }
        }
        let warning = (!stderr.is_empty()).then(|| format!("{} said: {stderr}", argv.program()));
        Ok(Read {
            value: output,
            origin: Origin { what: argv.to_string(), when: Some(Timestamp::now()) },
            notes: warning.into_iter().collect(),
        })
    }

    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.databases.schema(self, at, db).await
    }

    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
        self.databases.rows(self, at, db, selects).await
    }

    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError> {
        let root = match self.node(&at.node)?.pid()? {
            Some(pid) => PathBuf::from(format!("/proc/{pid}/root")),
            None => PathBuf::from("/"),
        };
        let limit = MAX_OUTPUT;
        let what = format!("the file of {db} on {}", at.node);
        let found =
            commands::database_files(db).iter().map(|path| (root.join(path.trim_start_matches('/')), *path));
        let Some((file, path)) = found.into_iter().find(|(file, _)| file.is_file()) else {
            return Err(ReadError::NotCollected {
                what: format!("{what} ({})", commands::database_files(db).join(" or ")),
                node: at.node.clone(),
                source_name: self.name().into(),
                why: None,
                instead: Vec::new(),
            });
        };
        let metadata = tokio::fs::metadata(&file).await.map_err(|e| ReadError::unreadable(&what, e))?;
        if metadata.len() > limit {
            return Err(ReadError::TooLarge { what, limit });
        }
        let bytes = tokio::fs::read(&file).await.map_err(|e| ReadError::unreadable(&what, e))?;
        let database = Database::open(bytes).map_err(|e| ReadError::unreadable(what, e))?;
        // The server may be in the middle of an append: an incomplete last record is no damage here.
        let origin = Origin { what: path.into(), when: Some(Timestamp::now()) };
        Ok(Read { value: Arc::new(database), origin, notes: Vec::new() })
    }
}

/// Runs a command to its end, or until it takes too long or prints too much. It is killed if the caller
/// goes away.
async fn run(at: &Target, argv: &Argv, pid: Option<u32>) -> Result<Output, ReadError> {
    #[expect(clippy::disallowed_methods, reason = "the one place where a local command is run")]
    let mut command = match pid {
        None => tokio::process::Command::new(argv.program()),
        Some(pid) => {
            let mut nsenter = tokio::process::Command::new("nsenter");
            nsenter.arg(format!("--target={pid}")).args(["--net", "--mount", "--uts", "--", argv.program()]);
            nsenter
        }
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
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => ReadError::NoProgram {
            program: argv.program().into(),
            place: at.place.to_string(),
            node: at.node.clone(),
        },
        _ => ReadError::unreadable(format!("`{argv}` on {}", at.node), e),
    })?;
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let mut output = Output::default();
    let finish = async {
        let (out, err) = tokio::join!(
            drain(out, &mut output.stdout, MAX_OUTPUT),
            drain(err, &mut output.stderr, MAX_ERROR),
        );
        out.and(err)?;
        child.wait().await
    };
    match tokio::time::timeout(at.within, finish).await {
        Ok(Ok(status)) => {
            output.status = status.code().or(status.signal().map(|signal| 128 + signal));
            Ok(output)
        }
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::FileTooLarge => {
            Err(ReadError::TooLarge { what: format!("the output of `{argv}`"), limit: MAX_OUTPUT })
        }
        Ok(Err(e)) => Err(ReadError::unreadable(format!("the output of `{argv}`"), e)),
        Err(_) => Err(ReadError::TimedOut {
            command: argv.to_string(),
            node: at.node.clone(),
            seconds: at.within.as_secs(),
            printed: output.stdout.len(),
        }),
    }
}

async fn drain(from: impl AsyncRead + Unpin, to: &mut Vec<u8>, limit: u64) -> std::io::Result<()> {
    from.take(limit + 1).read_to_end(to).await?;
    if to.len() as u64 > limit {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(())
}
