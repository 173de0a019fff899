//! Commands that were run when a bundle was collected.

use super::{
    cluster::{Cluster, One},
    contents::{Essence, Gathered, Recorded, Report, gathered},
};
use crate::{
    Db, Place, PodRef, Target,
    backend::{Origin, Output, Read, ReadError, answered, netns},
};
use jiff::Timestamp;
use std::time::Duration;

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

/// The output of a command on a node, of the newest report that has it; else of what a must-gather keeps.
pub(super) fn find(cluster: &Cluster, at: &Target, words: &[&str], source: &str) -> Lookup {
    if let ["cat", path] = words {
        return file(cluster, at, path);
    }
    let essence = match &at.place {
        Place::Pod(pod) => match namespace(cluster, at, pod, source) {
            // As sos runs it in each of the namespaces.
            Ok(name) => Essence::of(["ip", "netns", "exec", &name].into_iter().chain(words.iter().copied())),
            Err(e) => return Lookup::Failed(e),
        },
        _ => Essence::of(words.iter().copied()),
    };
    match of_reports(cluster, at, &essence) {
        Lookup::NotRun(tried) if !matches!(at.place, Place::Pod(_)) => {
            match gathered(cluster, at, &essence) {
                Some(found) => found,
                None => Lookup::NotRun(tried),
            }
        }
        found => found,
    }
}

/// A file of the node, which a report has where the node has it.
fn file(cluster: &Cluster, at: &Target, path: &str) -> Lookup {
    for (one, report) in cluster.reports(&at.node) {
        let full = format!("{}{}", report.root, path.trim_start_matches('/'));
        if one.files.has(&full) {
            return whole(cluster, one, &full, path, report.when);
        }
    }
    let gathered = cluster.gathered(&at.node).find(|(_, gathered)| gathered.copy_of.as_deref() == Some(path));
    match gathered {
        Some((one, gathered)) => whole(cluster, one, &gathered.path, &gathered.shown, gathered.when),
        None => Lookup::NotRun(None),
    }
}

/// A whole file, as the output of a command.
fn whole(cluster: &Cluster, one: &One, full: &str, shown: &str, when: Option<Timestamp>) -> Lookup {
    let what =
        if cluster.bundles.len() == 1 { shown.to_owned() } else { format!("{shown} in {}", one.files.name) };
    match one.files.read(full) {
        Ok(stdout) => Lookup::Read(Read {
            value: Output { stdout, stderr: Vec::new(), status: None },
            origin: Origin::new(what, when).in_bundle(&one.files.name),
            notes: one.files.cut(full).into_iter().collect(),
        }),
        Err(e) => Lookup::Failed(e),
    }
}

/// What a must-gather keeps of a command.
fn gathered(cluster: &Cluster, at: &Target, essence: &Essence) -> Option<Lookup> {
    let is = |of: &(&One, &Gathered)| of.1.essence.as_ref() == Some(essence);
    let (one, gathered) = cluster.gathered(&at.node).find(is)?;
    let mut lookup = whole(cluster, one, &gathered.path, &gathered.shown, gathered.when);
    if let Lookup::Read(read) = &mut lookup {
        if let Some(section) = &gathered.section {
            let text = String::from_utf8_lossy(&read.value.stdout).into_owned();
            read.value.stdout = gathered::section(&text, section)?.into();
            read.origin.what = format!("{} ({section})", read.origin.what);
        }
        if read.value.stdout.trim_ascii().is_empty() {
            let what = &read.origin.what;
            read.notes.push(format!(
                "{what} is empty: the command printed nothing, or it failed (a must-gather keeps no exit status)"
            ));
        }
    }
    Some(lookup)
}

/// The name of a pod's network namespace, by which the report's files are named.
fn namespace(cluster: &Cluster, at: &Target, pod: &PodRef, source: &str) -> Result<String, ReadError> {
    let missing = |what: String| ReadError::NotCollected {
        what,
        node: at.node.clone(),
        source_name: source.into(),
        why: Some(format!("by it, the network namespace of pod {pod} would be known")),
        instead: Vec::new(),
    };
    let host = Target { place: Place::Host, ..at.clone() };
    let recorded = |command: &str| match of_reports(cluster, &host, &Essence::of(command.split(' '))) {
        Lookup::Read(read) => Some(String::from_utf8_lossy(&read.value.stdout).into_owned()),
        _ => None,
    };
    let port = match cluster.database(&at.node, Db::OpenVSwitch) {
        Some(found) => netns::of_rows(&found?.database.select(&netns::select(pod))?),
        None => {
            let listing = recorded("ovs-vsctl list interface");
            netns::of_listing(&listing.ok_or_else(|| missing(Db::OpenVSwitch.to_string()))?, pod)
        }
    };
    let links = recorded("ip -s -d link").or_else(|| recorded("ip -d address"));
    let links = links.ok_or_else(|| missing("`ip -s -d link`".into()))?;
    netns::name(at, pod, port.as_deref(), &links, source)
}

fn of_reports(cluster: &Cluster, at: &Target, essence: &Essence) -> Lookup {
    let mut tried = None;
    for (one, report) in cluster.reports(&at.node) {
        if let Some(recorded) = report.commands(&one.files).find(essence) {
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
        Some(TIMED_OUT) => {
            let output = Output { stdout, ..Output::default() };
            let within = Duration::from_secs(*timeout);
            Lookup::Failed(ReadError::timed_out(exec.clone(), &at.node, within, &output))
        }
        Some(status) if status != 0 && !answered(exec.split(' ').next().unwrap_or_default(), status) => {
            Lookup::Failed(ReadError::Failed {
                command: exec.clone(),
                node: at.node.clone(),
                status,
                stderr: text(),
            })
        }
        status => {
            let mut notes: Vec<String> = one.files.cut(&full).into_iter().collect();
            if *truncated {
                notes.push(format!("{path} has only the end of what `{exec}` printed: sos cut it"));
            }
            if let Some(status) = status.filter(|status| *status != 0) {
                notes.push(format!("`{exec}` ended with exit status {status}: some of it could not be read"));
            }
            if let Some(why) = &report.commands(&one.files).no_manifest {
                notes.push(format!("whether `{exec}` succeeded is not known: {why}"));
            }
            let origin = Origin::new(shown, when.or(report.when)).in_bundle(&one.files.name);
            // What it wrote to standard error is in the same file.
            Lookup::Read(Read { value: Output { stdout, stderr: Vec::new(), status }, origin, notes })
        }
    }
}
