//! Runs processes in the containers of the cluster.
//!
//! As with a real container runtime, a command outlives the client that started it. It runs until it ends itself, its
//! pod is deleted or the API server ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// The environment variable that names the server and the container of a process. Children inherit it, even if they
/// create new process groups and sessions.
const MARK: &str = "LAB_CONTAINER";

/// The search path for programs in a container.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The scripts that create the root of a container, and that hide programs from it.
const CONTAINER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/lab/container.sh");
const WITHOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/lab/without.sh");

/// The namespaces that a container runs in.
#[derive(Clone, Debug)]
pub(super) enum ContainerNamespaces {
    /// The namespaces of a node.
    Node {
        /// The process that holds the namespaces.
        pid: u32,
        /// The folder that lists the processes of the node's pods.
        pods: PathBuf,
        /// The mount of the node's files in the container, if there is one.
        root: Option<RootMount>,
    },
    /// The network namespace of a pod, with the files of this machine.
    Network(PathBuf),
}

/// The mount of the node's root in a container.
#[derive(Clone, Debug)]
pub(super) struct RootMount {
    pub(super) path: String,
    pub(super) read_only: bool,
}

/// A container in which commands can run.
#[derive(Clone, Debug)]
pub(super) struct Container {
    /// The server that the container belongs to.
    pub(super) server: String,
    pub(super) place: ContainerNamespaces,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) name: String,
    /// The programs that the container's image lacks, although the machine has them.
    pub(super) lacks: Vec<String>,
}

impl Container {
    /// Starts a command.
    pub(super) fn spawn(&self, argv: &[String], stdin: bool) -> io::Result<Child> {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        if !self.has(program) {
            return Err(io::ErrorKind::NotFound.into());
        }
        #[expect(clippy::disallowed_methods, reason = "the lab's containers run the commands of clients")]
        let mut command = Command::new("nsenter");
        match &self.place {
            ContainerNamespaces::Node { pid, .. } => {
                command.arg(format!("--target={pid}")).args(["--net", "--mount", "--uts"])
            }
            ContainerNamespaces::Network(path) => command.arg(format!("--net={}", path.display())),
        };
        command.arg("--");
        if let ContainerNamespaces::Node { root: Some(root), pods, .. } = &self.place {
            let mode = if root.read_only { "ro" } else { "rw" };
            command.args(["unshare", "--mount", "--", "bash", CONTAINER, &root.path, mode]).arg(pods);
        }
        if !self.lacks.is_empty() {
            command.args(["unshare", "--mount", "--", "bash", WITHOUT, &self.lacks.join(" ")]);
        }
        command
            .args(argv)
            .env_clear()
            .env("PATH", PATH)
            .env("HOSTNAME", &self.pod)
            .env(MARK, self.mark())
            .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    }

    /// Checks whether the container has a program. A container runtime refuses to start a missing program.
    fn has(&self, program: &str) -> bool {
        if self.lacks.iter().any(|lacking| lacking == program) {
            return false;
        }
        let root = match &self.place {
            ContainerNamespaces::Node { pid, .. } => PathBuf::from(format!("/proc/{pid}/root")),
            ContainerNamespaces::Network(_) => PathBuf::from("/"),
        };
        let below =
            |folder: &str| root.join(folder.trim_start_matches('/')).join(program.trim_start_matches('/'));
        if program.contains('/') {
            below("").exists()
        } else {
            !program.is_empty() && PATH.split(':').any(|folder| below(folder).exists())
        }
    }

    fn mark(&self) -> String {
        format!("{}/{}/{}/{}", self.server, self.namespace, self.pod, self.name)
    }
}

/// A running process of the cluster.
pub(super) struct RunningProcess {
    pid: u32,
    /// The container as `namespace/pod/container`.
    container: String,
    argv: Vec<String>,
}

impl RunningProcess {
    /// Returns the entry for `/lab/processes`.
    pub(super) fn object(&self) -> Value {
        json!({ "pid": self.pid, "container": self.container, "argv": self.argv })
    }
}

/// The processes in the containers of a server.
pub(super) struct Processes {
    /// The identity of the server: its process ID, and its number within this process.
    pub(super) server: String,
}

impl Processes {
    /// Creates the identity of a new server.
    pub(super) fn new() -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        Self { server: format!("{}.{}", std::process::id(), SERVERS.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Lists all running processes, or those of a pod, given by namespace and name.
    pub(super) fn running(&self, pod: Option<(&str, &str)>) -> Vec<RunningProcess> {
        let below = pod.map(|(namespace, pod)| format!("{namespace}/{pod}/")).unwrap_or_default();
        marked(&format!("{}/", self.server), &below)
    }

    /// Kills all running processes, or those of a pod, given by namespace and name.
    pub(super) async fn kill(&self, pod: Option<(&str, &str)>) {
        // A process that forks during the search is found in the next round.
        for _ in 0..50 {
            let pids: Vec<String> = self.running(pod).iter().map(|process| process.pid.to_string()).collect();
            if pids.is_empty() {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "kills the processes in the lab's containers")]
            let mut kill = Command::new("kill");
            _ = kill.arg("-KILL").arg("--").args(pids).stderr(Stdio::null()).status().await;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// Lists the commands that run in the containers of all servers in a process, each with its container.
pub fn running_under(pid: u32) -> Vec<String> {
    marked(&format!("{pid}."), "")
        .iter()
        .map(|process| format!("{}: {}", process.container, process.argv.join(" ")))
        .collect()
}

/// Finds the processes whose mark begins with `server`, in containers whose names begin with `below`.
fn marked(server: &str, below: &str) -> Vec<RunningProcess> {
    let server = format!("{MARK}={server}");
    let look = |folder: &Path| -> Option<RunningProcess> {
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        let environment = fs::read(folder.join("environ")).ok()?;
        let entries = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let rest = entries.filter_map(|entry| Some(entry.strip_prefix(&server)?.to_owned())).next()?;
        // If `server` names a whole process, the rest begins with the number of one of its servers, which is removed.
        let container = if server.ends_with('/') { &rest } else { rest.split_once('/')?.1 };
        if !container.starts_with(below) {
            return None;
        }
        let argv = fs::read(folder.join("cmdline")).ok()?;
        let words = argv.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        Some(RunningProcess {
            pid,
            container: container.into(),
            argv: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
        })
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<RunningProcess> = entries.filter_map(|entry| look(&entry.path())).collect();
    found.sort_by_key(|process| process.pid);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_sees_its_own_commands_and_no_others() {
        let (one, other) = (Processes::new(), Processes::new());
        let mark = format!("{}/default/web-1/web", one.server);
        #[expect(clippy::disallowed_methods, reason = "represents a command in a container")]
        let mut sleep = std::process::Command::new("sleep").arg("60").env(MARK, mark).spawn().unwrap();
        let words =
            |found: Vec<RunningProcess>| found.iter().map(|each| each.container.clone()).collect::<Vec<_>>();
        // The environment is not visible before the program has started.
        while words(one.running(None)).is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(words(one.running(Some(("default", "web-1")))), ["default/web-1/web"]);
        assert_eq!(words(one.running(Some(("default", "web")))), [""; 0]);
        assert_eq!(words(other.running(None)), [""; 0]);
        assert!(running_under(std::process::id()).contains(&"default/web-1/web: sleep 60".to_owned()));
        sleep.kill().unwrap();
        sleep.wait().unwrap();
    }
}
