//! Finds the logs of containers.
//!
//! Three programs write these logs under different names. `oc adm inspect` writes
//! `namespaces/<ns>/pods/<pod>/<container>/<container>/logs/{current,previous}[.insecure].log` and
//! `…/logs/rotated/<run>.log.<date>[.gz]`. The kubelet writes
//! `pods/<ns>_<pod>_<uid>/<container>/<run>.log[.<date>[.gz]]`, which sosreports and exports of kind copy. The
//! container runtime names the same files `containers/<pod>_<ns>_<container>-<id>.log`. Init containers have logs like
//! all other containers.

use crate::{LogPart, PodRef, backend::bundle::files::Files};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    io::{Chain, Cursor, Read},
};

/// The log files of a bundle, by pod and container.
pub(in crate::backend::bundle) struct ContainerLogs(BTreeMap<PodRef, BTreeMap<String, Vec<LogFile>>>);

/// A file of a container's log.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    path: String,
    kind: LogFileKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogFileKind {
    /// The log of the current or last run, from the API server.
    Current,
    /// The log of the previous run, from the API server.
    Previous,
    /// The file of a run on the node. The times of the files show which run it is.
    Run,
    /// The same file under the name that the container runtime gives it.
    Named,
    /// An older part of the file of a run.
    Rotated,
}

impl ContainerLogs {
    /// Finds the log files by their names.
    pub(in crate::backend::bundle) fn of_files(files: &Files) -> Self {
        let mut all = BTreeMap::<PodRef, BTreeMap<String, Vec<LogFile>>>::new();
        for path in files.paths() {
            if let Some((pod, container, kind)) = inspected(path).or_else(|| on_node(path)) {
                let container = all.entry(pod).or_default().entry(container.to_owned()).or_default();
                container.push(LogFile { path: path.to_owned(), kind });
            }
        }
        Self(all)
    }

    pub(super) fn of(&self, pod: &PodRef) -> Option<&BTreeMap<String, Vec<LogFile>>> {
        self.0.get(pod)
    }

    /// The pods with logs in the same namespace, or all namespaces with logs if there are none.
    pub(super) fn near(&self, pod: &PodRef) -> Vec<String> {
        let same: Vec<String> =
            self.0.keys().filter(|other| other.namespace == pod.namespace).map(ToString::to_string).collect();
        if !same.is_empty() {
            return ovsdb::nearest_first(&pod.to_string(), same.iter().map(String::as_str));
        }
        let mut namespaces: Vec<String> =
            self.0.keys().map(|other| format!("pods of {}", other.namespace)).collect();
        namespaces.dedup();
        namespaces
    }

    /// The time of the newest change of a log file.
    pub(in crate::backend::bundle) fn newest(&self, files: &Files) -> Option<Timestamp> {
        self.0.values().flat_map(BTreeMap::values).flatten().filter_map(|f| files.modified(&f.path)).max()
    }

    pub(in crate::backend::bundle) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The path for answers, without the leading folders that are named after the collection.
pub(super) fn shown(path: &str) -> String {
    let at = ["namespaces/", "pods/", "containers/"].iter().filter_map(|folder| path.find(folder)).min();
    at.and_then(|at| path.get(at..)).unwrap_or(path).to_owned()
}

/// `namespaces/<ns>/pods/<pod>/<container>/<container>/logs/<file>`.
fn inspected(path: &str) -> Option<(PodRef, &str, LogFileKind)> {
    let at = path.find("namespaces/")?;
    if at > 0 && !path.get(..at)?.ends_with('/') {
        return None;
    }
    let mut parts = path.get(at..)?.split('/').skip(1);
    let (namespace, pods, pod) = (parts.next()?, parts.next()?, parts.next()?);
    let (container, again, logs, file) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if pods != "pods" || container != again || logs != "logs" {
        return None;
    }
    let kind = match (file, parts.next()) {
        ("current.log" | "current.insecure.log", None) => LogFileKind::Current,
        ("previous.log" | "previous.insecure.log", None) => LogFileKind::Previous,
        ("rotated", Some(_)) => LogFileKind::Rotated,
        _ => return None,
    };
    Some((pod_ref(namespace, pod)?, container, kind))
}

/// `pods/<ns>_<pod>_<uid>/<container>/<run>.log…` and `containers/<pod>_<ns>_<container>-<id>.log`.
fn on_node(path: &str) -> Option<(PodRef, &str, LogFileKind)> {
    let mut parts = path.rsplit('/');
    let (file, folder) = (parts.next()?, parts.next()?);
    if folder == "containers" {
        // The ID has 64 hexadecimal digits.
        let (name, id) = file.strip_suffix(".log")?.rsplit_once('-')?;
        let mut names = name.splitn(3, '_');
        let (pod, namespace, container) = (names.next()?, names.next()?, names.next()?);
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        return is_id.then_some((pod_ref(namespace, pod)?, container, LogFileKind::Named));
    }
    let (pod, pods) = (parts.next()?, parts.next()?);
    let (run, rest) = file.split_once(".log")?;
    if pods != "pods" || run.is_empty() || !run.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut names = pod.splitn(3, '_');
    let (namespace, pod, _uid) = (names.next()?, names.next()?, names.next()?);
    let kind = if rest.is_empty() { LogFileKind::Run } else { LogFileKind::Rotated };
    Some((pod_ref(namespace, pod)?, folder, kind))
}

fn pod_ref(namespace: &str, pod: &str) -> Option<PodRef> {
    Some(PodRef { namespace: namespace.parse().ok()?, name: pod.parse().ok()? })
}

/// Returns the files of a part of the log, oldest first, and notes. Returns the available parts as an error if the part
/// does not exist.
pub(super) fn choose(
    files: &Files,
    all: &[LogFile],
    part: LogPart,
) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
    let only = |kind: LogFileKind| all.iter().filter(move |file| file.kind == kind);
    let filled = |kind: LogFileKind| {
        // The collector writes the second file if it cannot get the first.
        let filled = only(kind).find(|file| files.size(&file.path) != Some(0));
        filled.or_else(|| only(kind).next()).map(|file| (begin(files, &file.path), file.path.clone()))
    };
    let mut runs: Vec<_> = only(LogFileKind::Run).collect();
    if runs.is_empty() {
        runs = only(LogFileKind::Named).collect();
    }
    let mut runs: Vec<_> = runs.into_iter().map(|f| (begin(files, &f.path), f.path.clone())).collect();
    runs.sort();
    let last = runs.pop();
    let current = filled(LogFileKind::Current).or(last.clone());
    let previous = filled(LogFileKind::Previous).or_else(|| runs.last().cloned());
    // A container without a previous run has an empty file.
    let previous = previous.filter(|(_, path)| files.size(path) != Some(0));
    let rotated = only(LogFileKind::Rotated).count();
    let note = match (part, rotated) {
        (LogPart::All, _) | (_, 0) => Vec::new(),
        (_, n) => vec![format!("rotated files with older lines: {n}; pass run=all to read them too")],
    };
    match part {
        LogPart::Current => match current {
            Some((_, path)) => Ok((vec![path], note)),
            None => Err(vec!["run=all".into()]),
        },
        LogPart::Previous => match previous {
            Some((_, path)) => Ok((vec![path], note)),
            None => Err(vec!["run=current".into()]),
        },
        LogPart::All => {
            let rotated = only(LogFileKind::Rotated).map(|f| (begin(files, &f.path), f.path.clone()));
            let api = [filled(LogFileKind::Previous), filled(LogFileKind::Current)].into_iter().flatten();
            let on_node = runs.iter().cloned().chain(last);
            let mut all: Vec<_> = rotated.chain(on_node).chain(api).collect();
            all.sort();
            all.dedup();
            Ok((all.into_iter().map(|(_, path)| path).collect(), note))
        }
    }
}

/// The time of a file's first line, or the modification time of the file.
pub(super) fn begin(files: &Files, path: &str) -> Option<Timestamp> {
    /// How many bytes are read to find the time.
    const TIME: u64 = 64;
    let mut first = Vec::new();
    let read = files.pour(path, &mut |content| plain(content)?.take(TIME).read_to_end(&mut first).map(drop));
    let text = String::from_utf8_lossy(&first);
    let time = text.split_whitespace().next().and_then(|word| word.parse().ok());
    time.filter(|_| read.is_ok()).or_else(|| files.modified(path))
}

/// A reader of a whole file, whose beginning was already read.
type WholeReader<'a> = Chain<Cursor<Vec<u8>>, &'a mut dyn Read>;

/// Returns the text of a file, which may be compressed with gzip.
pub(in crate::backend) fn plain<'a>(content: &'a mut dyn Read) -> std::io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    content.take(2).read_to_end(&mut head)?;
    let packed = head == [0x1f, 0x8b];
    let whole: WholeReader<'a> = Cursor::new(head).chain(content);
    Ok(if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}
