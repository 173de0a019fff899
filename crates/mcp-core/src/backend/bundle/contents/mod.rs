//! What is what in a bundle: databases, recorded commands, objects and logs, and the node of each.

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

pub(super) use command::Essence;
pub(super) use database::open;
pub(super) use gathered::Gathered;
pub(super) use identity::{Identity, chassis, is_central};
pub(super) use manifest::Recorded;
pub(super) use sosreport::Report;
pub(super) use wanted::{is_log, packed, wanted};

/// What one bundle holds.
#[derive(Default)]
pub(super) struct Contents {
    /// Its nodes, by the names it gives them.
    pub(super) nodes: BTreeMap<NodeName, Identity>,
    /// Nodes whose names come from Kubernetes and not from a host.
    pub(super) objects: BTreeSet<NodeName>,
    /// Files that are databases.
    pub(super) databases: Vec<Stored>,
    /// Sosreports: recorded commands.
    pub(super) reports: Vec<Report>,
    /// What must-gathers keep of commands that were run on nodes.
    pub(super) gathered: Vec<Gathered>,
    /// Databases that should be there and are not, and why.
    pub(super) missing: Vec<(NodeName, Db, String)>,
    /// Log files by node.
    pub(super) logs: BTreeMap<NodeName, Vec<String>>,
    /// Logs of hosts that lie in no host's folder.
    pub(super) host_logs: Vec<(NodeName, HostLog, String)>,
    /// Logs of hosts below `host_service_logs`, which need not say whose they are.
    pub(super) service_logs: Vec<String>,
    /// Folders of hosts without a report, with the slash: what `kind export logs` makes.
    pub(super) hosts: Vec<(NodeName, String)>,
    /// What could not be assigned or understood.
    pub(super) troubles: Vec<String>,
    /// Where it shows that the cluster was a central one.
    pub(super) central: Option<String>,
}

/// A database file.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) node: NodeName,
    pub(super) db: Db,
    /// In the bundle.
    pub(super) path: String,
    /// As an answer names it: without the folders that are named after the collection.
    pub(super) shown: String,
    /// When it was collected, as far as the bundle tells.
    pub(super) when: Option<Timestamp>,
}

impl Contents {
    /// Looks through the names of a bundle, and into the few files that tell which node is which.
    pub(super) fn of(files: &Files) -> Self {
        let mut contents = Self::default();
        must_gather::scan(files, &mut contents);
        sosreport::scan(files, &mut contents);
        loose::scan(files, &mut contents);
        contents
    }

    /// Nothing that any tool could read?
    pub(super) fn is_empty(&self) -> bool {
        self.databases.is_empty()
            && self.reports.is_empty()
            && self.gathered.is_empty()
            && self.missing.is_empty()
            && self.hosts.is_empty()
            && self.host_logs.is_empty()
            && self.service_logs.is_empty()
    }

    /// When the bundle was collected: the time of what was collected last.
    pub(super) fn when(&self) -> Option<Timestamp> {
        let databases = self.databases.iter().filter_map(|stored| stored.when);
        databases.chain(self.reports.iter().filter_map(|report| report.when)).max()
    }

    /// The folders in which files lie as they lay on a node.
    pub(super) fn roots(&self, node: &NodeName) -> Vec<&str> {
        let reports =
            self.reports.iter().filter(|report| report.node == *node).map(|report| report.root.as_str());
        reports.chain(self.hosts.iter().filter(|(of, _)| of == node).map(|(_, root)| root.as_str())).collect()
    }

    /// A database of no known node: of all nodes, or what it is cannot be told.
    fn unknown(&mut self, files: &Files, path: &str, db: Db, shown: String, why: &str) {
        let database = files.read(path).ok().and_then(|bytes| open(bytes).ok());
        if database.is_some_and(|database| is_central(db, &database)) {
            self.central.get_or_insert(shown);
        } else {
            self.troubles.push(format!("{shown}: {why}"));
        }
    }

    fn node(&mut self, name: &NodeName, identity: Identity) {
        self.nodes.entry(name.clone()).or_default().merge(identity);
    }

    /// Gives nodes the names that the cluster has for them.
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
