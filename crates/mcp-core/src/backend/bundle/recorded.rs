//! Commands that were run when a bundle was collected.

use super::{
    cluster::{Cluster, One},
    contents::{Essence, Recorded, Report},
};
use crate::{
    Argv, Target,
    backend::{Origin, Output, Read, ReadError},
};

/// The shell's statuses for a program that is not there or cannot be run, and that of `timeout(1)`.
const NOT_RUN: [i32; 2] = [126, 127];
const TIMED_OUT: i32 = 124;

/// What the cluster's bundles have for a command.
pub(super) enum Lookup {
    /// It was run.
    Read(Read<Output>),
    /// It was run or tried, and there is no output; or it failed.
    Failed(ReadError),
    /// It was not run, or not so that it says anything: with what was tried.
    NotRun(Option<String>),
}

/// The output of a command on a node, of the first report that has it.
pub(super) fn find(cluster: &Cluster, at: &Target, argv: &Argv) -> Lookup {
    let essence = Essence::of(argv.words().iter().map(String::as_str));
    let mut tried = None;
    for (one, report) in cluster.reports(&at.node) {
        if let Some(recorded) = report.commands(&one.files).find(&essence) {
            match answer(cluster, one, report, recorded, at) {
                Lookup::NotRun(why) => tried = tried.or(why),
                found => return found,
            }
        }
    }
    Lookup::NotRun(tried)
}

fn answer(cluster: &Cluster, one: &One, report: &Report, recorded: &Recorded, at: &Target) -> Lookup {
    let Recorded { exec, path, status, truncated, when, timeout, .. } = recorded;
    let tried = |why: &str| Lookup::NotRun(Some(format!("`{exec}`, {why}")));
    let Some(path) = path else {
        return match status {
            Some(status) if NOT_RUN.contains(status) => Lookup::Failed(ReadError::NoProgram {
                program: exec.split_whitespace().next().unwrap_or_default().into(),
                place: at.place.to_string(),
                node: at.node.clone(),
            }),
            Some(status) => tried(&format!("which ended with exit status {status} and left no output")),
            None => tried("which left no output"),
        };
    };
    let shown =
        if cluster.bundles.len() == 1 { path.clone() } else { format!("{path} in {}", one.files.name) };
    let full = format!("{}{path}", report.root);
    if !one.files.has(&full) {
        return tried("which the manifest lists, but whose output is not in the bundle");
    }
    let stdout = match one.files.read(&full) {
        Ok(bytes) => bytes,
        Err(e) => return Lookup::Failed(e),
    };
    let text = || String::from_utf8_lossy(&stdout).trim().to_owned();
    match *status {
        // sos runs no shell that would find the file that `*` stands for.
        Some(status) if status != 0 && exec.contains('*') && text().contains('*') => {
            tried("which failed because sos hands `*` to the program as it stands")
        }
        Some(TIMED_OUT) => Lookup::Failed(ReadError::TimedOut {
            command: exec.clone(),
            node: at.node.clone(),
            seconds: *timeout,
            printed: stdout.len(),
        }),
        Some(status) if status != 0 => Lookup::Failed(ReadError::Failed {
            command: exec.clone(),
            node: at.node.clone(),
            status,
            stderr: text(),
        }),
        status => {
            let mut notes: Vec<String> = one.files.cut(&full).into_iter().collect();
            if *truncated {
                notes.push(format!("{path} has only the end of what `{exec}` printed: sos cut it"));
            }
            if let Some(why) = &report.commands(&one.files).no_manifest {
                notes.push(format!("whether `{exec}` succeeded is not known: {why}"));
            }
            let origin = Origin { what: shown, when: when.or(report.when) };
            // What it wrote to standard error is in the same file.
            Lookup::Read(Read { value: Output { stdout, stderr: Vec::new(), status }, origin, notes })
        }
    }
}
