//! Finds the logs of hosts: `host_service_logs` of a must-gather, the files and journals of a sosreport, and the
//! exports of kind.

use super::{LineFilter, LogPiece, containers};
use crate::{
    HostLog, NodeName,
    backend::bundle::{cluster::OpenBundle, files::Files},
    kubernetes::{host_files, host_units},
};
use jiff::Timestamp;

/// The programs whose lines in a whole journal belong to a log.
fn programs(log: HostLog) -> &'static [&'static str] {
    match log {
        HostLog::Kubelet => &["kubelet", "kubenswrapper", "hyperkube"],
        HostLog::OvsVswitchd => &["ovs-vswitchd"],
        HostLog::OvsdbServer => &["ovsdb-server"],
        HostLog::OvnController => &["ovn-controller"],
        HostLog::AclAudit => &[],
        HostLog::NetworkManager => &["NetworkManager"],
        HostLog::OvsConfiguration => &["configure-ovs.sh", "ovs-configuration"],
        HostLog::Runtime => &["crio", "containerd"],
        HostLog::Kernel => &["kernel"],
        HostLog::Libreswan => &["pluto", "ipsec"],
    }
}

/// Journals of all programs, below a host's folder.
const JOURNALS: [&str; 6] = [
    "journal.log",
    "var/log/messages",
    "var/log/syslog",
    "messages",
    "sos_commands/logs/journalctl_--no-pager_--boot",
    "sos_commands/logs/journalctl_--no-pager_--catalog_--boot",
];

/// Finds the files of a node's log, oldest first, and notes. The list is empty if the log is missing; the error says
/// why, if known.
pub(super) fn find(
    one: &OpenBundle,
    node: &NodeName,
    log: HostLog,
    since: Option<Timestamp>,
) -> Result<(Vec<LogPiece>, Vec<String>), String> {
    let files = &one.files;
    let whole = |path: String, root: &str| LogPiece {
        shown: path.strip_prefix(root).unwrap_or(&path).to_owned(),
        path,
        lines: LineFilter::default(),
    };
    if let Some((_, _, path)) =
        one.contents.host_logs.iter().find(|(of, which, _)| of == node && *which == log)
    {
        return Ok((vec![whole(path.clone(), "")], Vec::new()));
    }
    let mut why = None;
    let roots = one.contents.roots(node);
    for root in &roots {
        let paths = host_files(log).iter().flat_map(|file| {
            // In exports of `kind export logs`, `/var/log` is the node's folder.
            [format!("{root}{file}"), format!("{root}{}", file.strip_prefix("var/log/").unwrap_or(file))]
        });
        if let Some(path) = paths.into_iter().find(|path| files.has(path)) {
            let (paths, notes) = with_rotated(files, &path, since);
            return Ok((paths.into_iter().map(|path| whole(path, root)).collect(), notes));
        }
        for unit in host_units(log) {
            let end = format!("/journalctl_--no-pager_--unit_{unit}");
            let below = format!("{root}sos_commands/");
            if let Some(path) = files.below(&below).find(|path| path.ends_with(&end)) {
                match empty_journal(files, path) {
                    false => return Ok((vec![whole(path.to_owned(), root)], Vec::new())),
                    true => why = why.or(Some(format!("journalctl --unit {unit} found no entries"))),
                }
            }
        }
    }
    if let Some(found) = of_role(one, node, log) {
        return Ok(found);
    }
    for root in roots.iter().filter(|_| !programs(log).is_empty()) {
        if let Some(path) = JOURNALS.iter().map(|name| format!("{root}{name}")).find(|path| files.has(path)) {
            let lines = LineFilter { host: None, programs: programs(log) };
            let piece = LogPiece { lines, ..whole(path, root) };
            let note =
                format!("{} has the lines of all programs; only the lines of {log} are read", piece.shown);
            return Ok((vec![piece], vec![note]));
        }
    }
    why.map_or(Ok((Vec::new(), Vec::new())), Err)
}

/// Finds `host_service_logs/<role>/<unit>_service.log` of a must-gather, which has the lines of all hosts of a role.
/// Older must-gathers have one folder per node.
fn of_role(one: &OpenBundle, node: &NodeName, log: HostLog) -> Option<(Vec<LogPiece>, Vec<String>)> {
    for unit in host_units(log) {
        let end = format!("/{unit}_service.log");
        let all = one.contents.service_logs.iter().map(String::as_str);
        let paths: Vec<&str> = all.filter(|path| path.ends_with(&end)).collect();
        let own = paths.iter().find(|path| path.split('/').any(|part| part == node.as_str()));
        let piece = |path: &str, lines| {
            let shown = path.find("host_service_logs/").and_then(|at| path.get(at..)).unwrap_or(path);
            LogPiece { shown: shown.to_owned(), path: path.to_owned(), lines }
        };
        if let Some(path) = own {
            return Some((vec![piece(path, LineFilter::default())], Vec::new()));
        }
        if !paths.is_empty() {
            let lines = LineFilter { host: Some(node.clone()), programs: &[] };
            let pieces: Vec<_> = paths.iter().map(|path| piece(path, lines.clone())).collect();
            let note = format!(
                "host_service_logs has all hosts of a role in one file; only the lines of {node} are read"
            );
            return Some((pieces, vec![note]));
        }
    }
    None
}

/// Returns true if the file is empty or has `-- No entries --`, which journalctl prints for a unit that never ran, or
/// without a journal.
fn empty_journal(files: &Files, path: &str) -> bool {
    files.size(path).is_some_and(|size| size < 256)
        && files.read_small(path).is_none_or(|text| text.is_empty() || text.starts_with(b"-- No entries --"))
}

/// Lists the rotated files of a log, as far back as `since` asks, and then the log itself.
fn with_rotated(files: &Files, path: &str, since: Option<Timestamp>) -> (Vec<String>, Vec<String>) {
    let older = |other: &&str| {
        other.strip_prefix(path).is_some_and(|rest| rest.starts_with(['-', '.']) && !rest.contains('/'))
    };
    let rotated: Vec<String> = files.below(path).filter(older).map(str::to_owned).collect();
    let Some(since) = since else {
        let note = match rotated.len() {
            0 => Vec::new(),
            n => vec![format!("rotated files with older lines: {n}; pass `since` to read them too")],
        };
        return (vec![path.to_owned()], note);
    };
    let wanted = rotated.into_iter().filter(|path| files.modified(path).is_none_or(|end| end >= since));
    let mut all: Vec<_> = wanted.map(|path| (containers::begin(files, &path), path)).collect();
    all.sort();
    (all.into_iter().map(|(_, path)| path).chain([path.to_owned()]).collect(), Vec::new())
}
