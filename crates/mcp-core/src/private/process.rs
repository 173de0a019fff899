//! Runs programs that end with their server.
//!
//! A program is started through setpriv(1), which makes the kernel kill it when its parent dies (prctl(2),
//! `PR_SET_PDEATHSIG`), and prlimit(1), which limits its memory; both replace themselves with the program. None of the
//! programs forks, so there is nothing else to end. `PR_SET_PDEATHSIG` refers to the death of the thread that started
//! the program. That thread must belong to the runtime, so programs are started from asynchronous code only.

use super::PrivateError;
use crate::{
    Output,
    argv::PrivateArgv,
    backend::{PATH, drain},
};
use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};
use tokio::process::{Child, Command};

/// The maximum size of standard output in bytes. No tool needs more.
const MAX_OUTPUT: u64 = 64 << 20;
/// The maximum size of standard error in bytes. No error message needs more.
const MAX_ERROR: u64 = 1 << 20;
/// The directories in which the programs of OVN and Open vSwitch look for sockets and files by default.
const DIRECTORIES: [&str; 9] = [
    "HOME",
    "OVS_RUNDIR",
    "OVS_LOGDIR",
    "OVS_DBDIR",
    "OVS_SYSCONFDIR",
    "OVN_RUNDIR",
    "OVN_LOGDIR",
    "OVN_DBDIR",
    "OVN_SYSCONFDIR",
];

/// Returns the path of a program, or `None` if it is not installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    PATH.split(':').map(|dir| Path::new(dir).join(program)).find(|path| path.is_file())
}

/// Returns a command that runs in a directory with at most `memory` bytes of address space.
fn command(argv: &PrivateArgv, directory: &Path, memory: u64) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the only place that runs private commands")]
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig=KILL", "prlimit"])
        .arg(format!("--as={memory}"))
        .args(argv.words())
        .current_dir(directory)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .envs(DIRECTORIES.map(|name| (name, directory)))
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn cannot_start(argv: &PrivateArgv, cause: std::io::Error) -> PrivateError {
    match cause.kind() {
        std::io::ErrorKind::NotFound => PrivateError::NotInstalled {
            program: "setpriv".into(),
            package: "util-linux on Debian, util-linux-core on Fedora",
        },
        _ => PrivateError::directory(format!("cannot start {}", argv.program()), cause),
    }
}

/// Runs a command to its end. The command is killed if the future is dropped.
pub(super) async fn run(argv: &PrivateArgv, directory: &Path, memory: u64) -> Result<Output, PrivateError> {
    let mut command = command(argv, directory, memory);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| cannot_start(argv, e))?;
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let mut output = Output::default();
    let (out, err) =
        tokio::join!(drain(out, &mut output.stdout, MAX_OUTPUT), drain(err, &mut output.stderr, MAX_ERROR),);
    out.and(err).map_err(|_| PrivateError::TooLarge { command: argv.to_string(), limit: MAX_OUTPUT })?;
    let ended = child.wait().await;
    let status =
        ended.map_err(|e| PrivateError::directory(format!("cannot wait for {}", argv.program()), e))?;
    output.status = Some(number(status));
    match status.success() {
        true => Ok(output),
        false => Err(failed(argv, memory, status, &output.stderr)),
    }
}

/// A program that runs until it is ended. Dropping the value kills the program.
#[derive(Debug)]
pub(super) struct Daemon {
    argv: PrivateArgv,
    child: Child,
    /// The file with the program's standard error.
    said: PathBuf,
}

impl Daemon {
    /// Starts the program.
    pub(super) fn start(
        argv: &PrivateArgv,
        directory: &Path,
        memory: u64,
        said: PathBuf,
    ) -> Result<Self, PrivateError> {
        let file =
            File::create(&said).map_err(|e| PrivateError::directory("cannot write a private file", e))?;
        let mut command = command(argv, directory, memory);
        let child = command.stdout(Stdio::null()).stderr(file).spawn();
        Ok(Self { argv: argv.clone(), child: child.map_err(|e| cannot_start(argv, e))?, said })
    }

    /// Returns the reason why the program ended, or `None` if it still runs.
    pub(super) fn ended(&mut self, memory: u64) -> Option<PrivateError> {
        let status = self.child.try_wait().ok().flatten()?;
        let said = std::fs::read(&self.said).unwrap_or_default();
        Some(failed(&self.argv, memory, status, &said))
    }

    /// Ends the program.
    pub(super) fn kill(&mut self) {
        _ = self.child.start_kill();
    }

    /// Whether the program has ended.
    pub(super) fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

fn number(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Returns the error for a failed command.
fn failed(argv: &PrivateArgv, memory: u64, status: ExitStatus, stderr: &[u8]) -> PrivateError {
    let stderr = String::from_utf8_lossy(stderr).trim().to_owned();
    // The texts are `virtual memory exhausted` (lib/util.c of Open vSwitch) and `memory exhausted` (GNU programs).
    if stderr.contains("memory exhausted") {
        return PrivateError::Memory { program: argv.program().into(), limit: memory };
    }
    PrivateError::Failed { command: argv.to_string(), status: number(status), stderr }
}
