//! Logs of hosts: `host_service_logs` of a must-gather, the files and journals of a sosreport, what kind exports.

use super::{Lines, Piece, containers};
use crate::{
    HostLog, NodeName,
    backend::bundle::{cluster::One, files::Files},
    kubernetes::{host_files, host_units},
};
use jiff::Timestamp;

/// The programs whose lines of a whole journal a log is.
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

/// Journals of everything, below a host's folder.
const JOURNALS: [&str; 6] = [
    "journal.log",
    "var/log/messages",
    "var/log/syslog",
    "messages",
    "sos_commands/logs/journalctl_--no-pager_--boot",
    "sos_commands/logs/journalctl_--no-pager_--catalog_--boot",
];

/// The files of a log of a node, oldest first, and what there is to say. None: it is not there; an error: why not.
pub(super) fn find(
    one: &One,
    node: &NodeName,
    log: HostLog,
    since: Option<Timestamp>,
) -> Result<(Vec<Piece>, Vec<String>), String> {
    let files = &one.files;
    let whole = |path: String, root: &str| Piece {
        shown: path.strip_prefix(root).unwrap_or(&path).to_owned(),
        path,
        lines: Lines::default(),
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
            // `kind export logs` leaves `/var/log` as the node's folder.
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
            let lines = Lines { host: None, programs: programs(log) };
            let piece = Piece { lines, ..whole(path, root) };
            let note = format!("{} has the lines of all programs: only those of {log} are read", piece.shown);
            return Ok((vec![piece], vec![note]));
        }
    }
    why.map_or(Ok((Vec::new(), Vec::new())), Err)
}

/// `host_service_logs/<role>/<unit>_service.log` of a must-gather has the lines of all hosts of a role; older ones have
/// a folder a node.
fn of_role(one: &One, node: &NodeName, log: HostLog) -> Option<(Vec<Piece>, Vec<String>)> {
    for unit in host_units(log) {
        let end = format!("/{unit}_service.log");
        let all = one.contents.service_logs.iter().map(String::as_str);
        let paths: Vec<&str> = all.filter(|path| path.ends_with(&end)).collect();
        let own = paths.iter().find(|path| path.split('/').any(|part| part == node.as_str()));
        let piece = |path: &str, lines| {
            let shown = path.find("host_service_logs/").and_then(|at| path.get(at..)).unwrap_or(path);
            Piece { shown: shown.to_owned(), path: path.to_owned(), lines }
        };
        if let Some(path) = own {
            return Some((vec![piece(path, Lines::default())], Vec::new()));
        }
        if !paths.is_empty() {
            let lines = Lines { host: Some(node.clone()), programs: &[] };
            let pieces: Vec<_> = paths.iter().map(|path| piece(path, lines.clone())).collect();
            let note = format!(
                "host_service_logs has a role's hosts together: only lines that name {node} are read"
            );
            return Some((pieces, vec![note]));
        }
    }
    None
}

/// `-- No entries --`, which is what journalctl writes of a unit that never ran, or where there is no journal.
fn empty_journal(files: &Files, path: &str) -> bool {
    files.size(path).is_some_and(|size| size < 256)
        && files.read_small(path).is_none_or(|text| text.is_empty() || text.starts_with(b"-- No entries --"))
}

/// A log file, after those that it was before it was rotated, as far back as is asked for.
fn with_rotated(files: &Files, path: &str, since: Option<Timestamp>) -> (Vec<String>, Vec<String>) {
    let older = |other: &&str| {
        other.strip_prefix(path).is_some_and(|rest| rest.starts_with(['-', '.']) && !rest.contains('/'))
    };
    let rotated: Vec<String> = files.below(path).filter(older).map(str::to_owned).collect();
    let Some(since) = since else {
        let note = match rotated.len() {
            0 => Vec::new(),
            n => vec![format!("{n} rotated files hold older lines: with `since` they are read too")],
        };
        return (vec![path.to_owned()], note);
    };
    let wanted = rotated.into_iter().filter(|path| files.modified(path).is_none_or(|end| end >= since));
    let mut all: Vec<_> = wanted.map(|path| (containers::begin(files, &path), path)).collect();
    all.sort();
    (all.into_iter().map(|(_, path)| path).chain([path.to_owned()]).collect(), Vec::new())
}
