//! Finds the log files in bundles, and streams their bytes.

mod containers;
mod hosts;
mod pour;

use super::cluster::{BundledCluster, OpenBundle};
use crate::{
    HostLog, LogPart, LogQuery, LogSource, LogStream, NodeName, PodRef,
    backend::{Origin, ReadError, ReadValue},
};
use jiff::Timestamp;
use std::sync::Arc;

pub(super) use containers::ContainerLogs;
pub(in crate::backend) use containers::plain;

/// The files that together are one log, oldest first.
struct LogFiles {
    bundle: usize,
    pieces: Vec<LogPiece>,
    notes: Vec<String>,
}

impl LogFiles {
    /// Returns true if any of the files is not empty.
    fn has_lines(&self, one: &OpenBundle) -> bool {
        self.pieces.iter().any(|piece| one.files.size(&piece.path) != Some(0))
    }
}

/// A file of a log.
struct LogPiece {
    path: String,
    /// The name of the file in answers.
    shown: String,
    /// The lines of the file that belong to the log.
    lines: LineFilter,
}

/// Selects the lines of a file that belong to a log. A journal has the lines of all programs, and a collection has the
/// lines of several hosts.
#[derive(Clone, Debug, Default)]
struct LineFilter {
    host: Option<NodeName>,
    programs: &'static [&'static str],
}

/// Opens a log as a stream.
pub(super) fn open(
    cluster: &Arc<BundledCluster>,
    source: &str,
    query: &LogQuery,
) -> Result<ReadValue<LogStream>, ReadError> {
    let found = match &query.source {
        LogSource::Container { pod, container, part } => {
            container_log(cluster, source, pod, container, *part)?
        }
        LogSource::Host { node, log } => host_log(cluster, source, node, *log, query.since)?,
        LogSource::File { .. } => return Err(ReadError::not_held(query.to_string(), source)),
    };
    let LogFiles { bundle, pieces, notes } = found;
    let one = cluster.bundles.get(bundle).expect("an index of `bundles`");
    let mut notes: Vec<String> = notes.into_iter().chain(cluster.notes.iter().cloned()).collect();
    notes.extend(pieces.iter().filter_map(|piece| one.files.cut(&piece.path)));
    let what = match pieces.as_slice() {
        [first, .., last] => format!("{} files from {} to {}", pieces.len(), first.shown, last.shown),
        [only] => only.shown.clone(),
        [] => String::new(),
    };
    let what = if cluster.bundles.len() > 1 { format!("{what} in {}", one.files.name) } else { what };
    let when =
        one.contents.when().or_else(|| pieces.iter().filter_map(|p| one.files.modified(&p.path)).max());
    let stream = pour::start(cluster.clone(), bundle, pieces);
    Ok(ReadValue { value: stream, origin: Origin::new(what, when).in_bundle(&one.files.name), notes })
}

/// Streams the bytes of one file. A file that is compressed with gzip is decompressed.
pub(super) fn file(cluster: &Arc<BundledCluster>, bundle: usize, path: String) -> LogStream {
    let piece = LogPiece { shown: path.clone(), path, lines: LineFilter::default() };
    pour::start(cluster.clone(), bundle, vec![piece])
}

fn container_log(
    cluster: &BundledCluster,
    source: &str,
    pod: &PodRef,
    container: &str,
    part: LogPart,
) -> Result<LogFiles, ReadError> {
    let not_held = |why: Option<String>, instead: Vec<String>| ReadError::NotHeld {
        what: format!(
            "the log of {pod}{}",
            if container.is_empty() { String::new() } else { format!(" -c {container}") }
        ),
        source_name: source.into(),
        why,
        instead,
    };
    let (mut why, mut instead, mut empty) = (None, Vec::new(), None);
    for (bundle, one) in cluster.newest_first() {
        let logs = one.containers();
        let Some(containers) = logs.of(pod) else {
            instead.extend(logs.near(pod));
            continue;
        };
        let name = match (container, containers.len()) {
            ("", 1) => containers.keys().next().map(String::as_str).unwrap_or_default(),
            ("", _) => {
                let names = containers.keys().cloned().collect();
                return Err(not_held(Some("the pod has several containers: name one".into()), names));
            }
            (name, _) => name,
        };
        match containers.get(name) {
            None => {
                why = Some("the pod has no log of this container".into());
                instead.extend(containers.keys().map(|name| format!("-c {name}")));
            }
            Some(files) => match containers::choose(&one.files, files, part) {
                Ok((paths, notes)) => {
                    let piece = |path: String| LogPiece {
                        shown: containers::shown(&path),
                        path,
                        lines: LineFilter::default(),
                    };
                    let found = LogFiles { bundle, pieces: paths.into_iter().map(piece).collect(), notes };
                    // An older bundle may have lines that were written before the log was emptied.
                    if found.has_lines(one) {
                        return Ok(found);
                    }
                    empty = empty.or(Some(found));
                }
                Err(parts) => {
                    why = Some("the container has no log of a previous run".into());
                    instead.extend(parts);
                }
            },
        }
    }
    if let Some(empty) = empty {
        return Ok(empty);
    }
    /// A longer list of names does not help the reader.
    const NAMES: usize = 20;
    let more = instead.len().saturating_sub(NAMES);
    instead.truncate(NAMES);
    if more > 0 {
        instead.push(format!("{more} more"));
    }
    Err(not_held(why, instead))
}

fn host_log(
    cluster: &BundledCluster,
    source: &str,
    node: &NodeName,
    log: HostLog,
    since: Option<Timestamp>,
) -> Result<LogFiles, ReadError> {
    let (mut why, mut empty) = (None, None);
    for (bundle, one) in cluster.newest_first() {
        match hosts::find(one, node, log, since) {
            Ok((pieces, notes)) if !pieces.is_empty() => {
                let found = LogFiles { bundle, pieces, notes };
                if found.has_lines(one) {
                    return Ok(found);
                }
                empty = empty.or(Some(found));
            }
            Ok(_) => {}
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    if let Some(empty) = empty {
        return Ok(empty);
    }
    Err(ReadError::NotCollected {
        what: format!("the {log} log"),
        node: node.clone(),
        source_name: source.into(),
        why,
        instead: held(cluster, node).into_iter().map(|(log, _)| format!("log={log}")).collect(),
    })
}

/// The logs of a host that are not empty, and whether each belongs to this host alone. `host_service_logs` may have the
/// logs of all hosts of a role in one file. Then only a read shows whether this host is among them.
pub(super) fn held(cluster: &BundledCluster, node: &NodeName) -> Vec<(HostLog, bool)> {
    let find = |log: HostLog| {
        let pieces = cluster.newest_first().into_iter().find_map(|(_, one)| {
            let (mut pieces, _) = hosts::find(one, node, log, None).ok()?;
            pieces.retain(|piece| one.files.size(&piece.path) != Some(0));
            (!pieces.is_empty()).then_some(pieces)
        })?;
        Some((log, pieces.iter().all(|piece| piece.lines.host.is_none())))
    };
    HostLog::ALL.into_iter().filter_map(find).collect()
}
