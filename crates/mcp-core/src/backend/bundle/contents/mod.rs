//! Recognizes the contents of a bundle: databases, recorded commands, objects and logs, and the node of each.

mod command;
mod database;
pub(super) mod gathered;
mod identity;
mod loose;
mod manifest;
mod must_gather;
mod sosreport;
mod wanted;

use super::files::Files;
use crate::{Db, HostLog, NodeName};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use command::CommandKey;
pub(super) use database::open;
pub(super) use gathered::Gathered;
pub(super) use identity::{NodeIdentity, chassis, is_central};
pub(super) use manifest::RecordedCommand;
pub(super) use sosreport::SosReport;
pub(in crate::backend) use wanted::{is_capture, is_event_recording};
pub(super) use wanted::{is_log, packed, wanted};

/// The contents of one bundle.
#[derive(Default)]
pub(super) struct Contents {
    /// The nodes, by the names that the bundle uses.
    pub(super) nodes: BTreeMap<NodeName, NodeIdentity>,
    /// The nodes whose names come from Kubernetes and not from a host.
    pub(super) objects: BTreeSet<NodeName>,
    /// The database files.
    pub(super) databases: Vec<StoredDatabase>,
    /// The sosreports, with their recorded commands.
    pub(super) reports: Vec<SosReport>,
    /// The recorded commands of nodes in must-gathers.
    pub(super) gathered: Vec<Gathered>,
    /// Databases that should be in the bundle but are missing, and why.
    pub(super) missing: Vec<(NodeName, Db, String)>,
    /// The log files by node.
    pub(super) logs: BTreeMap<NodeName, Vec<String>>,
    /// The logs of hosts outside the folder of a host.
    pub(super) host_logs: Vec<(NodeName, HostLog, String)>,
    /// The logs of hosts below `host_service_logs`, whose paths may not name the host.
    pub(super) service_logs: Vec<String>,
    /// The folders of hosts without a report, with a trailing slash: `kind export logs` writes them.
    pub(super) hosts: Vec<(NodeName, String)>,
    /// Files that could not be assigned to a node or understood.
    pub(super) troubles: Vec<String>,
    /// The file that shows that the cluster used central mode.
    pub(super) central: Option<String>,
}

/// A database file.
#[derive(Clone, Debug)]
pub(super) struct StoredDatabase {
    pub(super) node: NodeName,
    pub(super) db: Db,
    /// The path in the bundle.
    pub(super) path: String,
    /// The path in answers, without the leading folders that are named after the collection.
    pub(super) shown: String,
    /// The collection time, if the bundle records it.
    pub(super) when: Option<Timestamp>,
}

impl Contents {
    /// Scans the file names of a bundle, and reads the few files that identify nodes.
    pub(super) fn of(files: &Files) -> Self {
        let mut contents = Self::default();
        must_gather::scan(files, &mut contents);
        sosreport::scan(files, &mut contents);
        loose::scan(files, &mut contents);
        contents
    }

    /// Returns true if there is nothing that a tool could read.
    pub(super) fn is_empty(&self) -> bool {
        self.databases.is_empty()
            && self.reports.is_empty()
            && self.gathered.is_empty()
            && self.missing.is_empty()
            && self.hosts.is_empty()
            && self.host_logs.is_empty()
            && self.service_logs.is_empty()
    }

    /// The collection time of the newest data in the bundle.
    pub(super) fn when(&self) -> Option<Timestamp> {
        let databases = self.databases.iter().filter_map(|stored| stored.when);
        databases.chain(self.reports.iter().filter_map(|report| report.when)).max()
    }

    /// The folders that mirror the file system of a node.
    pub(super) fn roots(&self, node: &NodeName) -> Vec<&str> {
        let reports =
            self.reports.iter().filter(|report| report.node == *node).map(|report| report.root.as_str());
        reports.chain(self.hosts.iter().filter(|(of, _)| of == node).map(|(_, root)| root.as_str())).collect()
    }

    /// Records a database that belongs to no known node: it has the data of all nodes, or its node cannot be
    /// identified.
    fn unknown(&mut self, files: &Files, path: &str, db: Db, shown: String, why: &str) {
        let database = files.read(path).ok().and_then(|bytes| open(bytes).ok());
        if database.is_some_and(|database| is_central(db, &database)) {
            self.central.get_or_insert(shown);
        } else {
            self.troubles.push(format!("{shown}: {why}"));
        }
    }

    fn node(&mut self, name: &NodeName, identity: NodeIdentity) {
        self.nodes.entry(name.clone()).or_default().merge(identity);
    }

    /// Renames nodes to the names that the cluster uses.
    pub(super) fn rename(&mut self, names: &BTreeMap<NodeName, NodeName>) {
        let new = |node: &mut NodeName| {
            if let Some(name) = names.get(node) {
                *node = name.clone();
            }
        };
        self.databases.iter_mut().for_each(|stored| new(&mut stored.node));
        self.reports.iter_mut().for_each(|report| new(&mut report.node));
        self.gathered.iter_mut().for_each(|gathered| new(&mut gathered.node));
        self.missing.iter_mut().for_each(|(node, ..)| new(node));
        self.host_logs.iter_mut().for_each(|(node, ..)| new(node));
        self.hosts.iter_mut().for_each(|(node, _)| new(node));
        self.logs =
            std::mem::take(&mut self.logs).into_iter().map(|(mut n, l)| (new(&mut n), (n, l)).1).collect();
        self.nodes =
            std::mem::take(&mut self.nodes).into_iter().map(|(mut n, i)| (new(&mut n), (n, i)).1).collect();
    }
}
