//! Processes in the containers of the cluster.
//!
//! A command outlives the client that started it, as with a real container runtime: only its own end, the end of its pod
//! and the end of the API server stop it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// In the environment of every process: which server and which container it belongs to. It is passed on to children,
/// whatever groups and sessions they make of themselves.
const MARK: &str = "LAB_CONTAINER";

/// Where a container looks for programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What makes a root for a container, and what takes programs away from one.
const CONTAINER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/lab/container.sh");
const WITHOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/lab/without.sh");

/// The namespaces that a container runs in.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A node's own.
    Node {
        /// The process that holds them.
        pid: u32,
        /// Where it is written which of the machine's processes are those of the node's pods.
        pods: PathBuf,
        /// Where the container sees the node's files, if it does.
        root: Option<RootMount>,
    },
    /// A pod's network, and this machine's files.
    Network(PathBuf),
}

/// The node's root, as a container sees it.
#[derive(Clone, Debug)]
pub(super) struct RootMount {
    pub(super) path: String,
    pub(super) read_only: bool,
}

/// A container that commands can run in.
#[derive(Clone, Debug)]
pub(super) struct Container {
    /// The server that it belongs to.
    pub(super) server: String,
    pub(super) place: Place,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) name: String,
    /// Programs that its image does not have, though the machine has them.
    pub(super) lacks: Vec<String>,
}

impl Container {
    /// Starts a command.
    pub(super) fn spawn(&self, argv: &[String], stdin: bool) -> io::Result<Child> {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        if !self.has(program) {
            return Err(io::ErrorKind::NotFound.into());
        }
        #[expect(clippy::disallowed_methods, reason = "the lab's containers run what their clients ask for")]
        let mut command = Command::new("nsenter");
        match &self.place {
            Place::Node { pid, .. } => {
                command.arg(format!("--target={pid}")).args(["--net", "--mount", "--uts"])
            }
            Place::Network(path) => command.arg(format!("--net={}", path.display())),
        };
        command.arg("--");
        if let Place::Node { root: Some(root), pods, .. } = &self.place {
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

    /// Is there such a program? Without one a container runtime starts nothing.
    fn has(&self, program: &str) -> bool {
        if self.lacks.iter().any(|lacking| lacking == program) {
            return false;
        }
        let root = match &self.place {
            Place::Node { pid, .. } => PathBuf::from(format!("/proc/{pid}/root")),
            Place::Network(_) => PathBuf::from("/"),
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

/// A process of the cluster that runs.
pub(super) struct Running {
    pid: u32,
    /// Namespace, pod and container.
    container: String,
    argv: Vec<String>,
}

impl Running {
    /// As `/lab/processes` lists it.
    pub(super) fn object(&self) -> Value {
        json!({ "pid": self.pid, "container": self.container, "argv": self.argv })
    }
}

/// What runs in the containers of one server.
pub(super) struct Processes {
    /// What tells it from others: its process, and which of the servers in that process it is.
    pub(super) server: String,
}

impl Processes {
    /// Of a new server.
    pub(super) fn new() -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        Self { server: format!("{}.{}", std::process::id(), SERVERS.fetch_add(1, Ordering::Relaxed)) }
    }

    /// All that runs, or what runs in a pod: its namespace and name.
    pub(super) fn running(&self, pod: Option<(&str, &str)>) -> Vec<Running> {
        let below = pod.map(|(namespace, pod)| format!("{namespace}/{pod}/")).unwrap_or_default();
        marked(&format!("{}/", self.server), &below)
    }

    /// Ends all that runs, or what runs in a pod: its namespace and name.
    pub(super) async fn kill(&self, pod: Option<(&str, &str)>) {
        // What forks while it is looked for is found the next time.
        for _ in 0..50 {
            let pids: Vec<String> = self.running(pod).iter().map(|process| process.pid.to_string()).collect();
            if pids.is_empty() {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "ends what the lab's containers run")]
            let mut kill = Command::new("kill");
            _ = kill.arg("-KILL").arg("--").args(pids).stderr(Stdio::null()).status().await;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// The commands that run in the containers of the servers of a process, each with its container.
pub fn running_under(pid: u32) -> Vec<String> {
    marked(&format!("{pid}."), "")
        .iter()
        .map(|process| format!("{}: {}", process.container, process.argv.join(" ")))
        .collect()
}

/// What runs with a mark that begins so, in containers whose names begin so.
fn marked(server: &str, below: &str) -> Vec<Running> {
    let server = format!("{MARK}={server}");
    let look = |folder: &Path| -> Option<Running> {
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        let environment = fs::read(folder.join("environ")).ok()?;
        let entries = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let rest = entries.filter_map(|entry| Some(entry.strip_prefix(&server)?.to_owned())).next()?;
        // Without the number of the server, where all of a process are meant.
        let container = if server.ends_with('/') { &rest } else { rest.split_once('/')?.1 };
        if !container.starts_with(below) {
            return None;
        }
        let argv = fs::read(folder.join("cmdline")).ok()?;
        let words = argv.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        Some(Running {
            pid,
            container: container.into(),
            argv: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
        })
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<Running> = entries.filter_map(|entry| look(&entry.path())).collect();
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
        #[expect(clippy::disallowed_methods, reason = "stands for a command in a container")]
        let mut sleep = std::process::Command::new("sleep").arg("60").env(MARK, mark).spawn().unwrap();
        let words = |found: Vec<Running>| found.iter().map(|each| each.container.clone()).collect::<Vec<_>>();
        // The environment is not to be seen before the program has begun.
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
