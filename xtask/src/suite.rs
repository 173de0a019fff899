//! Runs the tests of the workspace: the programs that `cargo test` builds, as many at once as the machine has cores.
//!
//! `cargo test` runs one program after another. Most of these programs wait or use one core, so the other core is idle.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use crate::workspace::{Result, Workspace};

/// The maximum number of programs that run at once, because some need a gigabyte of memory.
const AT_ONCE: usize = 4;

/// Programs that need a large part of the machine's memory.
const LARGE: [&str; 2] = ["limits", "memory"];

/// A program with tests, or the examples in the documentation.
struct Program {
    /// The crate and the name of the program.
    name: String,
    /// The program, and the folder in which cargo starts it. The examples have no program of their own.
    place: Option<(PathBuf, PathBuf)>,
    /// Whether the program runs only while no other such program runs: because it changes or watches the lab, or
    /// because it needs much memory.
    alone: bool,
}

/// Builds and runs all tests. With `lab`, the tests that need this lab run, too.
pub(crate) fn run(workspace: &Workspace, lab: Option<&str>) -> Result {
    let built =
        cmd!(workspace.sh, "cargo test --workspace --no-run --message-format json-render-diagnostics");
    let mut programs = vec![Program { name: "documentation".into(), place: None, alone: false }];
    for message in built.read()?.lines() {
        let message: Value = serde_json::from_str(message)?;
        programs.extend(program(&message, &workspace.sh)?);
    }
    if programs.len() < 2 {
        return Err("cargo built no tests".into());
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("running {} programs, {} at once", programs.len(), cores.min(AT_ONCE));
    let queue = Mutex::new(Queue { waiting: programs, alone: false, failed: Vec::new() });
    let root = workspace.root.as_path();
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..cores.min(AT_ONCE)).map(|_| scope.spawn(|| work(root, lab, &queue))).collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| "a worker panicked")).collect::<Vec<_>>()
    })
    .into_iter()
    .collect::<std::result::Result<Vec<()>, _>>()?;
    let queue = queue.into_inner()?;
    match queue.failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("these tests failed: {}", failed.join(", ")).into()),
    }
}

/// Returns the program with tests that a message of cargo announces, if it announces one.
fn program(message: &Value, sh: &Shell) -> Result<Option<Program>> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
    let (Some(program), true) = (text("/executable"), is_test) else { return Ok(None) };
    let (Some(manifest), Some(target)) = (text("/manifest_path"), text("/target/name")) else {
        return Err(format!("cargo names no crate of {program}").into());
    };
    let folder = Path::new(manifest).parent().unwrap_or(Path::new("."));
    let owner = folder.file_name().unwrap_or_default().to_string_lossy();
    // A plain `cargo test` ignores exactly the tests that need the lab or other programs of the system.
    let _inside = sh.push_dir(folder);
    let ignored = cmd!(sh, "{program} --list --ignored").quiet().ignore_stderr().read()?;
    let alone = LARGE.contains(&target) || ignored.lines().any(|line| line.ends_with(": test"));
    let place = Some((program.into(), folder.into()));
    Ok(Some(Program { name: format!("{owner} {target}"), place, alone }))
}

/// The programs that have not run yet, and the outcome of the others.
struct Queue {
    waiting: Vec<Program>,
    /// Whether a program is running that must run alone.
    alone: bool,
    failed: Vec<String>,
}

impl Queue {
    /// Takes the next program. The programs that must run alone come first, because only one worker can run them.
    fn next(&mut self) -> Option<Program> {
        let first = self.waiting.iter().position(|program| program.alone && !self.alone);
        let at = first.or_else(|| self.waiting.iter().position(|program| !program.alone))?;
        let program = self.waiting.remove(at);
        self.alone |= program.alone;
        Some(program)
    }

    /// Notes the end of a program.
    fn ended(&mut self, program: Program, passed: bool) {
        self.alone &= !program.alone;
        if !passed {
            self.failed.push(program.name);
        }
    }
}

/// Runs one program after another until none is left for this worker.
fn work(root: &Path, lab: Option<&str>, queue: &Mutex<Queue>) {
    let next = || queue.lock().ok()?.next();
    while let Some(program) = next() {
        let start = Instant::now();
        let (passed, text) = match execute(&program, root, lab) {
            Ok(outcome) => outcome,
            Err(error) => (false, error.to_string()),
        };
        // One call prints the whole text, so the texts of two programs do not mix.
        println!("\n--- {} ({:.1} s)\n{}", program.name, start.elapsed().as_secs_f64(), text.trim());
        let Ok(mut queue) = queue.lock() else { return };
        queue.ended(program, passed);
    }
}

/// Runs a program as cargo does, and returns whether its tests passed and what it printed.
fn execute(program: &Program, root: &Path, lab: Option<&str>) -> Result<(bool, String)> {
    let sh = Shell::new()?;
    sh.change_dir(root);
    let ignored = lab.map(|_| "--include-ignored");
    let run: Cmd<'_> = match &program.place {
        None => cmd!(sh, "cargo test --workspace --doc --no-fail-fast -- {ignored...}"),
        Some((program, folder)) => {
            sh.change_dir(folder);
            cmd!(sh, "{program} {ignored...}").env("CARGO_MANIFEST_DIR", folder)
        }
    };
    let run = run.envs(lab.map(|lab| ("OVNK_LAB_DIR", lab))).env("INSTA_UPDATE", "no");
    printed(run.quiet())
}

/// Runs a command, and returns whether it succeeded and what it printed. The output goes to a file, because a daemon
/// that the command leaves behind would keep a pipe open.
pub(crate) fn printed(run: Cmd<'_>) -> Result<(bool, String)> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::current_exe()?.with_file_name(format!("xtask-{}-{number}.log", std::process::id()));
    let file = File::create(&path)?;
    let status = Command::from(run).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status()?;
    let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    fs::remove_file(&path)?;
    Ok((status.success(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(programs: &[(&str, bool)]) -> Queue {
        let program = |&(name, alone): &(&str, bool)| Program { name: name.to_owned(), place: None, alone };
        Queue { waiting: programs.iter().map(program).collect(), alone: false, failed: Vec::new() }
    }

    #[test]
    fn two_programs_that_must_run_alone_never_run_together() {
        let mut queue = queue(&[("a", false), ("lab", true), ("lab 2", true), ("b", false)]);
        let lab = queue.next().unwrap();
        assert_eq!(lab.name, "lab");
        let a = queue.next().unwrap();
        assert_eq!(a.name, "a");
        queue.ended(a, true);
        assert_eq!(queue.next().unwrap().name, "b");
        assert!(queue.next().is_none(), "the second program of the lab must wait");
        queue.ended(lab, false);
        assert_eq!(queue.next().unwrap().name, "lab 2");
        assert_eq!(queue.failed, ["lab"]);
        assert!(queue.next().is_none());
    }
}
