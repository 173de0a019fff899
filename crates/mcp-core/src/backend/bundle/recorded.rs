//! Finds the recorded output of commands that were run when a bundle was collected.

use super::{
    cluster::{BundledCluster, OpenBundle},
    contents::{CommandKey, Gathered, RecordedCommand, SosReport, gathered},
};
use crate::{
    CommandPlace, CommandTarget, Db, PodRef,
    backend::{Collection, Origin, Output, ReadError, ReadValue, answered, netns},
};
use jiff::Timestamp;
use std::time::Duration;

/// The shell's exit statuses for a program that is missing or cannot be run.
const NOT_RUN: [i32; 2] = [126, 127];
const TIMED_OUT: i32 = 124;

/// What the bundles of a cluster have for a command.
pub(super) enum Lookup {
    /// The command was run, and its output is available.
    Read(ReadValue<Output>),
    /// The command failed, or its output cannot be read.
    Failed(ReadError),
    /// The command was not run or left no useful output, with the reason if known.
    NotRun(Option<String>),
}

/// Finds the output of a command on a node, in the collection that the target chooses.
pub(super) fn find(cluster: &BundledCluster, at: &CommandTarget, words: &[&str], source: &str) -> Lookup {
    let mut tried = None;
    for only in at.choice.passes() {
        match find_in(cluster, only, at, words, source) {
            Lookup::NotRun(why) => tried = tried.or(why),
            found => return found,
        }
    }
    Lookup::NotRun(tried)
}

/// The reports of a node, the newest first, or only the report that is the collection.
fn reports<'a>(
    cluster: &'a BundledCluster,
    only: Option<&'a Collection>,
    at: &'a CommandTarget,
) -> impl Iterator<Item = (&'a OpenBundle, &'a SosReport)> {
    let reports = cluster.reports(&at.node);
    reports.filter(move |(one, report)| only.is_none_or(|only| one.collection(&report.root) == *only))
}

/// The recorded commands of a node in must-gathers, the newest first, or only those of the collection.
fn recorded<'a>(
    cluster: &'a BundledCluster,
    only: Option<&'a Collection>,
    at: &'a CommandTarget,
) -> impl Iterator<Item = (&'a OpenBundle, &'a Gathered)> {
    cluster.gathered(&at.node).filter(move |(one, _)| only.is_none_or(|only| one.collection("") == *only))
}

/// Finds the output of a command on a node: in the newest report that has it, otherwise in a must-gather.
fn find_in(
    cluster: &BundledCluster,
    only: Option<&Collection>,
    at: &CommandTarget,
    words: &[&str],
    source: &str,
) -> Lookup {
    if let ["cat", path] = words {
        return file(cluster, only, at, path);
    }
    let essence = match &at.place {
        CommandPlace::Pod(pod) => match namespace(cluster, only, at, pod, source) {
            // sos runs the command with this prefix in each namespace.
            Ok(name) => {
                CommandKey::of(["ip", "netns", "exec", &name].into_iter().chain(words.iter().copied()))
            }
            Err(e) => return Lookup::Failed(e),
        },
        _ => CommandKey::of(words.iter().copied()),
    };
    match of_reports(cluster, only, at, &essence) {
        Lookup::NotRun(tried) if !matches!(at.place, CommandPlace::Pod(_)) => {
            match gathered(cluster, only, at, &essence) {
                Some(found) => found,
                None => Lookup::NotRun(tried),
            }
        }
        found => found,
    }
}

/// Finds a file of the node, which a report stores at the path it has on the node.
fn file(cluster: &BundledCluster, only: Option<&Collection>, at: &CommandTarget, path: &str) -> Lookup {
    for (one, report) in reports(cluster, only, at) {
        let full = format!("{}{}", report.root, path.trim_start_matches('/'));
        if one.files.has(&full) {
            return whole(cluster, one, &report.root, &full, path, report.when);
        }
    }
    let gathered =
        recorded(cluster, only, at).find(|(_, gathered)| gathered.copy_of.as_deref() == Some(path));
    match gathered {
        Some((one, gathered)) => whole(cluster, one, "", &gathered.path, &gathered.shown, gathered.when),
        None => Lookup::NotRun(None),
    }
}

/// Returns a whole file as the output of a command.
fn whole(
    cluster: &BundledCluster,
    one: &OpenBundle,
    folder: &str,
    full: &str,
    shown: &str,
    when: Option<Timestamp>,
) -> Lookup {
    let what =
        if cluster.bundles.len() == 1 { shown.to_owned() } else { format!("{shown} in {}", one.files.name) };
    match one.files.read_output(full) {
        Ok(stdout) => Lookup::Read(ReadValue {
            value: Output { stdout, stderr: Vec::new(), status: None },
            origin: Origin::new(what, when).in_collection(one.collection(folder)),
            notes: one.files.cut(full).into_iter().collect(),
        }),
        Err(e) => Lookup::Failed(e),
    }
}

/// Finds the output of a command in a must-gather.
fn gathered(
    cluster: &BundledCluster,
    only: Option<&Collection>,
    at: &CommandTarget,
    essence: &CommandKey,
) -> Option<Lookup> {
    let is = |of: &(&OpenBundle, &Gathered)| of.1.essence.as_ref() == Some(essence);
    let (one, gathered) = recorded(cluster, only, at).find(is)?;
    let mut lookup = whole(cluster, one, "", &gathered.path, &gathered.shown, gathered.when);
    if let Lookup::Read(read) = &mut lookup {
        if let Some(section) = &gathered.section {
            let text = String::from_utf8_lossy(&read.value.stdout).into_owned();
            read.value.stdout = gathered::section(&text, section)?.into();
            read.origin.what = format!("{} ({section})", read.origin.what);
        }
        if read.value.stdout.trim_ascii().is_empty() {
            let what = &read.origin.what;
            read.notes.push(format!(
                "{what} is empty: the command printed nothing, or it failed (a must-gather records no exit status)"
            ));
        }
    }
    Some(lookup)
}

/// Finds the name of a pod's network namespace, which the file names in the report contain.
fn namespace(
    cluster: &BundledCluster,
    only: Option<&Collection>,
    at: &CommandTarget,
    pod: &PodRef,
    source: &str,
) -> Result<String, ReadError> {
    let missing = |what: String| ReadError::NotCollected {
        what,
        node: at.node.clone(),
        source_name: source.into(),
        why: Some(format!("it is needed to find the network namespace of pod {pod}")),
        instead: Vec::new(),
    };
    let host = CommandTarget { place: CommandPlace::Host, ..at.clone() };
    let recorded = |command: &str| match of_reports(cluster, only, &host, &CommandKey::of(command.split(' ')))
    {
        Lookup::Read(read) => Some(String::from_utf8_lossy(&read.value.stdout).into_owned()),
        _ => None,
    };
    let port = match cluster.database(&at.node, Db::OpenVSwitch, &at.choice) {
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

fn of_reports(
    cluster: &BundledCluster,
    only: Option<&Collection>,
    at: &CommandTarget,
    essence: &CommandKey,
) -> Lookup {
    let mut tried = None;
    for (one, report) in reports(cluster, only, at) {
        if let Some(recorded) = report.commands(&one.files).find(essence) {
            match answer(cluster, one, report, recorded, at) {
                Lookup::NotRun(why) => tried = tried.or(why),
                found => return found,
            }
        }
    }
    Lookup::NotRun(tried)
}

fn answer(
    cluster: &BundledCluster,
    one: &OpenBundle,
    report: &SosReport,
    recorded: &RecordedCommand,
    at: &CommandTarget,
) -> Lookup {
    let RecordedCommand { exec, path, status, truncated, when, timeout, .. } = recorded;
    let tried = |why: &str| Lookup::NotRun(Some(format!("`{exec}`, {why}")));
    let Some(path) = path else {
        return match status {
            Some(status) if NOT_RUN.contains(status) => Lookup::Failed(ReadError::NoProgram {
                program: exec.split_whitespace().next().unwrap_or_default().into(),
                place: at.place.to_string(),
                node: at.node.clone(),
            }),
            Some(status) => tried(&format!("which exited with status {status} and left no output")),
            None => tried("which left no output"),
        };
    };
    let shown =
        if cluster.bundles.len() == 1 { path.clone() } else { format!("{path} in {}", one.files.name) };
    let full = format!("{}{path}", report.root);
    if !one.files.has(&full) {
        return tried("which is in the manifest, but whose output is not in the bundle");
    }
    let stdout = match one.files.read_output(&full) {
        Ok(bytes) => bytes,
        Err(e) => return Lookup::Failed(e),
    };
    let text = || String::from_utf8_lossy(&stdout).trim().to_owned();
    match *status {
        // sos runs no shell that would expand `*` to a file name.
        Some(status) if status != 0 && exec.contains('*') && text().contains('*') => {
            tried("which failed because sos ran it with an unexpanded `*`")
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
                notes.push(format!(
                    "{path} has only the end of the output of `{exec}`, because sos truncated it"
                ));
            }
            if let Some(status) = status.filter(|status| *status != 0) {
                notes.push(format!("`{exec}` exited with status {status}: some values could not be read"));
            }
            if let Some(why) = &report.commands(&one.files).no_manifest {
                notes.push(format!("it is not known whether `{exec}` succeeded: {why}"));
            }
            let origin = Origin::new(shown, when.or(report.when)).in_collection(one.collection(&report.root));
            // sos writes standard error to the same file.
            Lookup::Read(ReadValue { value: Output { stdout, stderr: Vec::new(), status }, origin, notes })
        }
    }
}
