//! Watches a server and everything that it starts with strace(1).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use xshell::{Shell, TempDir};

use crate::mcp::{Era, Session};
use crate::workspace::Result;

/// The system calls that start a program or a process.
const STARTS: &[&str] = &["execve", "execveat", "clone", "clone3", "fork", "vfork"];

/// The system calls that open a file, which change it only with some flags.
const OPENS: &[&str] = &["open", "openat", "openat2"];

/// The system calls that change files, mounts, modules or clocks.
const CHANGES: &[&str] = &[
    "creat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mknod",
    "mknodat",
    "truncate",
    "ftruncate",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "utimensat",
    "mount",
    "umount2",
    "pivot_root",
    "init_module",
    "finit_module",
    "delete_module",
    "sethostname",
    "clock_settime",
    "settimeofday",
];

/// The flags with which a file is opened to change it.
const WRITES: &[&str] = &["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"];

/// A server under strace(1), which writes one file for each thread and process.
pub(super) struct Tracer {
    logs: TempDir,
}

/// A program that a process started, or tried to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Started {
    /// The path of the program.
    pub(super) path: String,
    /// The words of the command line.
    pub(super) argv: Vec<String>,
    /// The environment.
    pub(super) environment: Vec<String>,
    /// Whether the program exists and began to run.
    pub(super) ran: bool,
}

/// What a server and its programs did.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// For each process that the server made: the programs that this process started, in their order.
    pub(super) commands: Vec<Vec<Started>>,
    /// The changes of files: the program that made the change, and the system call.
    pub(super) changes: Vec<(String, String)>,
}

impl Tracer {
    pub(super) fn new(sh: &Shell) -> Result<Self> {
        Ok(Self { logs: sh.create_temp_dir()? })
    }

    /// Starts a server under strace(1) and connects to it.
    pub(super) fn start(&self, sh: &Shell, server: &Path, arguments: &[String]) -> Result<Session> {
        let log = self.logs.path().join("log").display().to_string();
        let calls = [STARTS, OPENS, CHANGES].concat().join(",");
        let watched = ["-ff", "--seccomp-bpf", "-qq", "-xx", "-v", "-s", "1000000", "-e", "signal=none"];
        let mut all: Vec<String> = watched.map(str::to_owned).into();
        // The question mark stands for: if this machine has the system call.
        all.extend(["-e".into(), format!("trace=?{}", calls.replace(',', ",?")), "-o".into(), log]);
        all.push(server.display().to_string());
        all.extend(arguments.iter().cloned());
        let mut session = Session::start(sh, Path::new("strace"), &all, Era::Initialize)
            .map_err(|e| format!("strace, which watches the servers, does not run (package strace): {e}"))?;
        session.open()?;
        Ok(session)
    }

    /// Returns what the server did. The server must have ended.
    pub(super) fn seen(&self, server: &Path) -> Result<Activity> {
        let mut logs = BTreeMap::new();
        for file in fs::read_dir(self.logs.path())? {
            let path = file?.path();
            let pid = path.extension().and_then(|pid| pid.to_str()?.parse::<u32>().ok());
            logs.insert(pid.ok_or("a log without a process")?, fs::read_to_string(&path)?);
        }
        let processes: BTreeMap<u32, Task> =
            logs.iter().map(|(pid, log)| Ok((*pid, Task::parse(log)?))).collect::<Result<_>>()?;
        let server = server.display().to_string();
        let is_server = |task: &Task| task.started.first().is_some_and(|first| first.path == server);
        let root = processes
            .iter()
            .find(|(_, task)| is_server(task))
            .ok_or("strace did not see the server start")?;
        let mut seen = Activity::default();
        walk(&processes, *root.0, "the server", Part::Server, &mut seen);
        Ok(seen)
    }
}

/// The place of a task in the tree of the server's processes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Server,
    /// A process that the server made.
    Command,
    /// A process that a command made.
    Below,
}

/// Collects what a task and everything below it did.
fn walk(tasks: &BTreeMap<u32, Task>, pid: u32, program: &str, part: Part, seen: &mut Activity) {
    let Some(task) = tasks.get(&pid) else { return };
    let ran = task.started.iter().rev().find(|started| started.ran);
    let program = match ran.and_then(|started| started.path.rsplit('/').next()) {
        Some(name) if part != Part::Server => name.to_owned(),
        _ => program.to_owned(),
    };
    if part == Part::Command {
        seen.commands.push(task.started.clone());
    }
    seen.changes.extend(task.changes.iter().map(|change| (program.clone(), change.clone())));
    for (child, is_thread) in &task.made {
        let part = match part {
            Part::Server if *is_thread => Part::Server,
            Part::Server => Part::Command,
            _ => Part::Below,
        };
        walk(tasks, *child, &program, part, seen);
    }
}

/// The log of one thread or process.
#[derive(Debug, Default)]
struct Task {
    started: Vec<Started>,
    /// The tasks that this task made, and whether each of them is a thread.
    made: Vec<(u32, bool)>,
    changes: Vec<String>,
}

impl Task {
    fn parse(log: &str) -> Result<Self> {
        let mut task = Self::default();
        for line in log.lines() {
            let (name, rest) = line.split_once('(').ok_or_else(|| format!("not understood: {line:.200}"))?;
            let result = rest.rsplit_once(") = ").map_or("", |(_, result)| result);
            if name.starts_with("exec") {
                task.started
                    .push(started(rest, result).ok_or_else(|| format!("not understood: {line:.200}"))?);
            } else if STARTS.contains(&name) {
                if let Some(pid) = result.split_whitespace().next().and_then(|pid| pid.parse().ok()) {
                    task.made.push((pid, rest.contains("CLONE_THREAD")));
                }
            } else if CHANGES.contains(&name) || WRITES.iter().any(|flag| rest.contains(flag)) {
                task.changes.push(decoded(line));
            }
        }
        Ok(task)
    }
}

/// Parses the arguments of execve(2): the path, the command line and the environment.
fn started(arguments: &str, result: &str) -> Option<Started> {
    let (path, rest) = arguments.split_once(", [")?;
    let (argv, rest) = rest.split_once("], [")?;
    let (environment, _) = rest.split_once(']')?;
    let list = |list: &str| strings(list).collect();
    Some(Started {
        path: strings(path).next()?,
        argv: list(argv),
        environment: list(environment),
        ran: result.starts_with('0'),
    })
}

/// Returns the texts of a list, each of which strace wrote in hexadecimal: `"\x61\x62", "\x63"`.
fn strings(list: &str) -> impl Iterator<Item = String> {
    let quoted = |(at, text): (usize, &str)| (at % 2 == 1).then(|| hexadecimal(text));
    list.split('"').enumerate().filter_map(quoted).collect::<Vec<_>>().into_iter()
}

fn hexadecimal(text: &str) -> String {
    let bytes: Vec<u8> = text.split("\\x").filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns a line of strace with readable texts.
fn decoded(line: &str) -> String {
    let part = |(at, part): (usize, &str)| if at % 2 == 1 { hexadecimal(part) } else { part.to_owned() };
    line.split('"').enumerate().map(part).collect::<Vec<_>>().join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read() {
        let log = "execve(\"\\x2f\\x61\", [\"\\x61\", \"\\x5d\\x2c\", \"\"], [\"\\x50\\x3d\\x31\"]) = -1 ENOENT (No such file)\n\
                   clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7}, 88) = 12\n\
                   clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 13\n\
                   openat(AT_FDCWD, \"\\x2f\\x62\", O_RDONLY|O_CLOEXEC) = 3\n\
                   openat(AT_FDCWD, \"\\x2f\\x62\", O_RDWR|O_CREAT, 0600) = 3\n";
        let task = Task::parse(log).unwrap();
        let expected = Started {
            path: "/a".into(),
            argv: vec!["a".into(), "],".into(), String::new()],
            environment: vec!["P=1".into()],
            ran: false,
        };
        assert_eq!(task.started, [expected]);
        assert_eq!(task.made, [(12, true), (13, false)]);
        assert_eq!(task.changes, ["openat(AT_FDCWD, \"/b\", O_RDWR|O_CREAT, 0600) = 3"]);
        assert!(Task::parse("+++ exited with 0 +++").is_err());
    }

    #[test]
    fn the_commands_are_the_processes_of_the_threads_of_the_server() {
        let run =
            |path: &str| Started { path: path.into(), argv: Vec::new(), environment: Vec::new(), ran: true };
        let task = |started: &[&str], made: &[(u32, bool)]| Task {
            started: started.iter().map(|path| run(path)).collect(),
            made: made.to_vec(),
            changes: vec!["creat".into()],
        };
        let tasks = BTreeMap::from([
            (1, task(&["/server"], &[(2, true)])),
            (2, task(&[], &[(3, false)])),
            (3, task(&["/bin/nsenter", "/bin/ipsec"], &[(4, false)])),
            (4, task(&["/bin/whack"], &[])),
        ]);
        let mut seen = Activity::default();
        walk(&tasks, 1, "the server", Part::Server, &mut seen);
        assert_eq!(seen.commands, [vec![run("/bin/nsenter"), run("/bin/ipsec")]]);
        let by: Vec<&str> = seen.changes.iter().map(|(program, _)| program.as_str()).collect();
        assert_eq!(by, ["the server", "the server", "ipsec", "whack"]);
    }
}
