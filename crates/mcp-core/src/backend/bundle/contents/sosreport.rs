//! Sosreports, each of one node.
//!
//! A sosreport stores files at the paths that they have on the node, and outputs of commands in
//! `sos_commands/<plugin>/`. `sos_reports/manifest.json` says which command wrote which file, and how it ended.

use super::{Contents, NodeIdentity, StoredDatabase, manifest};
use crate::{
    Db, Deadline, NodeName,
    backend::bundle::files::{Files, LinkError},
};
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::OnceLock};

/// The folders in which OVN and Open vSwitch store databases: upstream's kind and Helm, OpenShift, distributions.
const FOLDERS: [&str; 8] = [
    "etc/openvswitch/",
    "etc/origin/openvswitch/",
    "usr/local/etc/openvswitch/",
    "var/lib/openvswitch/",
    "etc/ovn/",
    "var/lib/ovn/",
    "var/lib/ovn/etc/",
    "var/lib/ovn-ic/etc/",
];
const DATABASES: [(&str, Db); 3] =
    [("ovnnb_db.db", Db::Nb), ("ovnsb_db.db", Db::Sb), ("conf.db", Db::OpenVSwitch)];

/// The sosreport of a node.
pub(crate) struct SosReport {
    /// The folder in the bundle, with a trailing slash. It is empty if the bundle itself is the report.
    pub(crate) root: String,
    /// The node.
    pub(crate) node: NodeName,
    /// When the report was started.
    pub(crate) when: Option<Timestamp>,
    recorded: OnceLock<manifest::RecordedCommands>,
}

impl SosReport {
    /// The recorded commands. The first call reads them.
    pub(crate) fn commands(&self, files: &Files) -> &manifest::RecordedCommands {
        self.recorded.get_or_init(|| Deadline::without(|| manifest::RecordedCommands::of(files, &self.root)))
    }
}

/// Finds sosreports and their databases.
pub(super) fn scan(files: &Files, contents: &mut Contents) {
    for root in roots(files) {
        let identity = identity(files, &root);
        let Some(node) = name(files, &root, &identity) else {
            let folder = if root.is_empty() { "the bundle" } else { root.trim_end_matches('/') };
            contents.troubles.push(format!(
                "{folder} is a sosreport of an unknown host: it has no etc/hostname, no recorded output of `hostname`, \
                 and its folder is not named sosreport-<host>-<date>"
            ));
            continue;
        };
        let report = SosReport { root, node, when: None, recorded: OnceLock::new() };
        let when = report.commands(files).recorded.iter().filter_map(|recorded| recorded.when).min();
        let report = SosReport { when, ..report };
        contents.node(&report.node, identity);
        databases(files, &report, contents);
        for folder in ["var/log/openvswitch/", "var/log/ovn/", "var/log/ovn-kubernetes/", "var/log/pods/"] {
            let logs =
                files.below(&format!("{}{folder}", report.root)).map(str::to_owned).collect::<Vec<_>>();
            contents.logs.entry(report.node.clone()).or_default().extend(logs);
        }
        contents.reports.push(report);
    }
}

/// The folders of reports. Data from a container is below `sos_containers` and is not a report.
fn roots(files: &Files) -> BTreeSet<String> {
    let root = |path: &str| {
        let at = ["sos_commands/", "sos_reports/"].iter().find_map(|folder| path.find(folder))?;
        let root = path.get(..at)?;
        let whole = root.is_empty() || root.ends_with('/');
        (whole && !root.contains("sos_containers/")).then(|| root.to_owned())
    };
    files.paths().filter_map(root).collect()
}

fn identity(files: &Files, root: &str) -> NodeIdentity {
    let mut identity = NodeIdentity::default();
    let below = format!("{root}sos_commands/");
    let listings = files.below(&below).filter(|path| {
        path.ends_with("list_Open_vSwitch") || path.ends_with("get_Open_vSwitch_._external_ids")
    });
    for text in listings.filter_map(|path| files.read_small(path)) {
        identity.merge(NodeIdentity::of_listing(&String::from_utf8_lossy(&text)));
    }
    if let Some(id) = text(files, &format!("{root}etc/openvswitch/system-id.conf")) {
        identity.system_id.get_or_insert(id);
    }
    if identity.system_id.is_none() {
        let conf_db =
            FOLDERS.iter().map(|folder| format!("{root}{folder}conf.db")).find(|path| files.has(path));
        let database = conf_db.and_then(|path| super::open(files.read(&path).ok()?).ok());
        identity.merge(database.map(|database| NodeIdentity::of_conf_db(&database)).unwrap_or_default());
    }
    identity
}

/// The name of the host: from the host itself, or else from the report's folder `sosreport-<host>-…`. If the bundle
/// itself is the report, the bundle has the name of that folder.
fn name(files: &Files, root: &str, identity: &NodeIdentity) -> Option<NodeName> {
    let said = ["etc/hostname", "sos_commands/host/hostname", "hostname", "sos_commands/host/hostname_-f"];
    let said = said.iter().filter_map(|path| text(files, &format!("{root}{path}")));
    let known = identity.names.iter().cloned();
    let folder = if root.is_empty() { files.name.as_str() } else { root };
    let folder = folder.trim_end_matches('/').rsplit('/').next().and_then(|folder| {
        let host = folder.strip_prefix("sosreport-")?;
        // The name ends where a year begins: `-2026-11-22-wvkhveu`, `-20210101120000`.
        let year = host.match_indices('-').find(|(at, _)| {
            host.get(at + 1..at + 3) == Some("20")
                && host.get(at + 3..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
        });
        host.get(..year?.0).map(str::to_owned)
    });
    said.chain(known).chain(folder).find_map(|name| name.to_lowercase().parse().ok())
}

/// The first line of a small file, unless it is empty.
fn text(files: &Files, path: &str) -> Option<String> {
    let bytes = files.read_small(path)?;
    let line = String::from_utf8_lossy(&bytes).lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

fn databases(files: &Files, report: &SosReport, contents: &mut Contents) {
    for (name, db) in DATABASES {
        let (mut found, mut gone) = (BTreeSet::new(), None);
        // The reader does not need the report's own folder.
        let short =
            |text: &str| if report.root.is_empty() { text.into() } else { text.replace(&report.root, "") };
        for folder in FOLDERS {
            let shown = format!("{folder}{name}");
            let path = format!("{}{shown}", report.root);
            match files.real_path(&path) {
                // Two paths to the same file, one of them through a link, count as one file.
                Ok(real) => _ = found.insert(real),
                Err(LinkError::Missing) => {}
                Err(e) => gone = gone.or(Some(format!("{shown}: {}", short(&e.to_string())))),
            }
        }
        match (found.is_empty(), gone) {
            (true, Some(why)) => contents.missing.push((report.node.clone(), db, why)),
            (true, None) => {}
            (false, _) => contents.databases.extend(found.into_iter().map(|path| StoredDatabase {
                node: report.node.clone(),
                db,
                shown: path.strip_prefix(&report.root).unwrap_or(&path).to_owned(),
                // The copy has the modification time of the database, but its content is as of the time of the report.
                when: report.when.or_else(|| files.modified(&path)),
                path,
            })),
        }
    }
}
