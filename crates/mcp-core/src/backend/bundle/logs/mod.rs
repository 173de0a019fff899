//! Logs in bundles: which files they are, and their bytes as a stream.

mod containers;
mod hosts;
mod pour;

use super::cluster::{Cluster, One};
use crate::{
    HostLog, LogPart, LogQuery, LogSource, LogStream, NodeName, PodRef,
    backend::{Origin, Read, ReadError},
};
use jiff::Timestamp;
use std::sync::Arc;

pub(super) use containers::Containers;
pub(in crate::backend) use containers::plain;

/// Files that together are one log, oldest first.
struct Found {
    bundle: usize,
    pieces: Vec<Piece>,
    notes: Vec<String>,
}

impl Found {
    /// Has any of its files a byte?
    fn has_lines(&self, one: &One) -> bool {
        self.pieces.iter().any(|piece| one.files.size(&piece.path) != Some(0))
    }
}

/// A file of a log.
struct Piece {
    path: String,
    /// As an answer names it.
    shown: String,
    /// Which of its lines belong to the log.
    lines: Lines,
}

/// Which lines of a file belong to a log: a journal has those of all programs, and a collection those of several hosts.
#[derive(Clone, Debug, Default)]
struct Lines {
    host: Option<NodeName>,
    programs: &'static [&'static str],
}

/// Opens a log. Its bytes come while it is read.
pub(super) fn open(
    cluster: &Arc<Cluster>,
    source: &str,
    query: &LogQuery,
) -> Result<Read<LogStream>, ReadError> {
    let found = match &query.source {
        LogSource::Container { pod, container, part } => {
            container_log(cluster, source, pod, container, *part)?
        }
        LogSource::Host { node, log } => host_log(cluster, source, node, *log, query.since)?,
        LogSource::File { .. } => return Err(ReadError::not_held(query.to_string(), source)),
    };
    let Found { bundle, pieces, notes } = found;
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
    Ok(Read { value: stream, origin: Origin::new(what, when).in_bundle(&one.files.name), notes })
}

/// The bytes of one file, as they are. A file that is packed with gzip is unpacked.
pub(super) fn file(cluster: &Arc<Cluster>, bundle: usize, path: String) -> LogStream {
    let piece = Piece { shown: path.clone(), path, lines: Lines::default() };
    pour::start(cluster.clone(), bundle, vec![piece])
}

fn container_log(
    cluster: &Cluster,
    source: &str,
    pod: &PodRef,
    container: &str,
    part: LogPart,
) -> Result<Found, ReadError> {
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
                return Err(not_held(Some("it has several containers: name one".into()), names));
            }
            (name, _) => name,
        };
        match containers.get(name) {
            None => {
                why = Some("the pod has no log of such a container".into());
                instead.extend(containers.keys().map(|name| format!("-c {name}")));
            }
            Some(files) => match containers::choose(&one.files, files, part) {
                Ok((paths, notes)) => {
                    let piece = |path: String| Piece {
                        shown: containers::shown(&path),
                        path,
                        lines: Lines::default(),
                    };
                    let found = Found { bundle, pieces: paths.into_iter().map(piece).collect(), notes };
                    // An older bundle may have what was there before the log was emptied.
                    if found.has_lines(one) {
                        return Ok(found);
                    }
                    empty = empty.or(Some(found));
                }
                Err(parts) => {
                    why = Some("there is no earlier run of the container".into());
                    instead.extend(parts);
                }
            },
        }
    }
    if let Some(empty) = empty {
        return Ok(empty);
    }
    /// More names help nobody.
    const NAMES: usize = 20;
    let more = instead.len().saturating_sub(NAMES);
    instead.truncate(NAMES);
    if more > 0 {
        instead.push(format!("{more} more"));
    }
    Err(not_held(why, instead))
}

fn host_log(
    cluster: &Cluster,
    source: &str,
    node: &NodeName,
    log: HostLog,
    since: Option<Timestamp>,
) -> Result<Found, ReadError> {
    let (mut why, mut empty) = (None, None);
    for (bundle, one) in cluster.newest_first() {
        match hosts::find(one, node, log, since) {
            Ok((pieces, notes)) if !pieces.is_empty() => {
                let found = Found { bundle, pieces, notes };
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
        what: format!("the log of {log}"),
        node: node.clone(),
        source_name: source.into(),
        why,
        instead: held(cluster, node).into_iter().map(|(log, _)| format!("log={log}")).collect(),
    })
}

/// The logs of a host in which there is something, and whether they are of this host alone: `host_service_logs` may have
/// those of all hosts of a role in one file, and then whether this one is among them is known when it is read.
pub(super) fn held(cluster: &Cluster, node: &NodeName) -> Vec<(HostLog, bool)> {
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
