//! Searches the databases of all zones for pods, services and addresses without objects. The most likely zones come
//! first.

use super::{
    Locator,
    ports::{LogicalPort, ZoneRows, host, northbound, zone},
};
use crate::{
    nodes::{joined, some},
    pods::{CollectedObjects, items, objects_of, text},
};
use futures::StreamExt;
use mcp_core::{Db, NodeName, PodRef, ReadError};
use ovn_model::annotations::pod_networks;
use ovsdb::Rows;
use std::{collections::BTreeSet, net::IpAddr};

/// The progress of a search through zones.
#[derive(Default)]
pub(super) struct ZoneProgress {
    pub(super) read: Vec<NodeName>,
    /// The nodes whose databases could not be read, each with the reason.
    pub(super) failed: Vec<(NodeName, String)>,
}

impl ZoneProgress {
    /// Records whether a zone was read, and returns its rows.
    pub(super) fn record<T>(&mut self, node: &NodeName, read: Result<T, ReadError>) -> Option<T> {
        match read {
            Ok(found) => {
                self.read.push(node.clone());
                Some(found)
            }
            Err(e) => {
                self.failed.push((node.clone(), e.to_string()));
                None
            }
        }
    }
}

/// Lines about zones. Zones with the same text share a line.
#[derive(Default)]
struct ZoneLines(Vec<(String, Vec<NodeName>)>);

impl ZoneLines {
    fn add(&mut self, node: &NodeName, text: String) {
        match self.0.iter_mut().find(|(known, _)| *known == text) {
            Some((_, nodes)) => nodes.push(node.clone()),
            None => self.0.push((text, vec![node.clone()])),
        }
    }

    fn lines(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(text, nodes)| format!("in the zone of {}: {text}", some(&nodes)))
    }
}

impl Locator<'_, '_> {
    /// Returns all nodes whose databases can be read, those in `first` before the others.
    pub(super) fn in_order(&self, first: &[String]) -> Vec<NodeName> {
        let is_first = |node: &&NodeName| first.iter().any(|name| name == node.as_str());
        let (mut ordered, rest): (Vec<_>, Vec<_>) = self.readable.iter().partition(is_first);
        ordered.extend(rest);
        ordered.into_iter().cloned().collect()
    }

    /// Returns the nodes of the cluster whose northbound database was not read, whatever the reason.
    fn unread(&self, progress: &ZoneProgress) -> Vec<String> {
        let known = self.nodes.iter().map(|node| node.name.as_str());
        let all: BTreeSet<&str> = known.chain(self.readable.iter().map(NodeName::as_str)).collect();
        let is_read = |name: &&str| progress.read.iter().any(|read| read.as_str() == *name);
        all.into_iter().filter(|name| !is_read(name)).map(str::to_owned).collect()
    }

    /// Notes which zones were searched.
    pub(super) fn note_searched(&mut self, progress: &ZoneProgress) {
        let unread = self.unread(progress);
        let (read, all) = (progress.read.len(), progress.read.len() + unread.len());
        if unread.is_empty() {
            self.notes.push(format!("the northbound databases of all {all} nodes were searched"));
            return;
        }
        self.notes.push(format!(
            "the northbound databases of {read} of {all} nodes were searched: {}",
            some(&progress.read)
        ));
        if let Some((_, why)) = progress.failed.first() {
            let names: Vec<&NodeName> = progress.failed.iter().map(|(node, _)| node).collect();
            self.notes.push(format!("the databases of {} were not searched: {why}", some(&names)));
        }
        let absent: Vec<&String> = unread.iter().filter(|name| !self.is_readable(name)).collect();
        if !absent.is_empty() {
            self.notes.push(format!(
                "the databases of {} were not searched, because this source does not have them",
                some(&absent)
            ));
        }
    }

    /// Searches the databases for an address that no object has. `first` are the nodes whose subnets contain the
    /// address.
    pub(super) async fn in_databases(&mut self, wanted: &str, first: &[String], pods: &CollectedObjects) {
        let (mut said, mut owners, mut progress) =
            (ZoneLines::default(), Vec::new(), ZoneProgress::default());
        let mut behind = ZoneLines::default();
        let look = |rows: Vec<Rows>| {
            let zone = zone(&rows, None, None);
            let owns = zone.ports.iter().any(|port| port.has(wanted) && port.kind != "remote");
            (owns, others(&zone, wanted).collect::<Vec<_>>(), zone.balancers_to(wanted))
        };
        let mut zones = self.cluster.rows_of(self.in_order(first), Db::Nb, &northbound(), look);
        while let Some((node, read)) = zones.next().await {
            let Some((owns, others, balancers)) = progress.record(&node, read) else { continue };
            if owns {
                owners.push(node.clone());
            }
            others.into_iter().for_each(|text| said.add(&node, text));
            balancers.into_iter().for_each(|name| behind.add(&node, name));
            // Only the zone of the subnet has a port with this address, so the search can stop.
            if first.iter().any(|name| name == node.as_str()) && owners.contains(&node) {
                break;
            }
        }
        drop(zones);
        let is_unread = |name: &&String| !progress.read.iter().any(|read| read.as_str() == name.as_str());
        let unread: Vec<&String> = first.iter().filter(is_unread).collect();
        // The zone whose subnet contains the address knows its owner.
        let nowhere = owners.is_empty() && !first.is_empty() && unread.is_empty();
        if owners.is_empty() && !unread.is_empty() {
            self.lines.push(format!(
                "the owner of {wanted} is unknown: the northbound database of {} was not read",
                some(&unread)
            ));
        }
        if nowhere && said.0.is_empty() && behind.0.is_empty() {
            self.lines
                .push(format!("no pod, service, port or NAT rule in the data that was read has {wanted}"));
        }
        for owner in owners {
            let Some(zone) = self.zone_of(owner.as_str()).await else { continue };
            for port in zone.ports.iter().filter(|port| port.has(wanted) && port.kind != "remote") {
                self.lines.push(format!("in the zone of {owner}: {}", port.line()));
                self.against_objects(port, owner.as_str()).await;
            }
        }
        self.lines.extend(said.lines());
        for (name, nodes) in behind.0 {
            let zones = some(&nodes);
            let none = if pods.is_collected() { "no pod and no port" } else { "no port" };
            match nowhere {
                true => self.findings.push(format!(
                    "load balancer {name} in the zone of {zones} sends to {wanted}, but {none} has this address"
                )),
                false => self.lines.push(format!("in the zone of {zones}: load balancer {name} sends to {wanted}")),
            }
        }
        self.note_searched(&progress);
    }

    /// Searches the databases for a pod without an object: its zone has its port as a local port.
    ///
    /// # Errors
    /// If no zone that was read has the port. The error holds the nodes whose databases were not read.
    pub(super) async fn pod_in_databases(&mut self, pod: &PodRef) -> Result<(), Vec<String>> {
        let [ports, switches, ..] = northbound();
        let is = |port: &&LogicalPort| {
            let of = |(namespace, name): &(String, String)| {
                *namespace == pod.namespace.as_str() && *name == pod.name.as_str()
            };
            port.pod.as_ref().is_some_and(of) && port.kind != "remote"
        };
        let (mut owner, mut progress) = (None, ZoneProgress::default());
        let look = |rows: Vec<Rows>| zone(&rows, None, None).ports.iter().any(|port| is(&port));
        let mut zones = self.cluster.rows_of(self.in_order(&[]), Db::Nb, &[ports, switches], look);
        while let Some((node, read)) = zones.next().await {
            if progress.record(&node, read) == Some(true) {
                owner = Some(node);
                break;
            }
        }
        drop(zones);
        let Some(node) = owner else {
            self.note_searched(&progress);
            return Err(self.unread(&progress));
        };
        self.lines.push(format!("pod {pod}: its port is in the zone of node {node}"));
        self.ovnkube_pods(node.as_str());
        // Reads the zone again, together with the southbound and Open_vSwitch databases. An error becomes a note.
        let Some(zone) = self.zone_of(node.as_str()).await else { return Ok(()) };
        for port in zone.ports.iter().filter(is) {
            self.lines.push(format!("  {}", port.line()));
            self.against_objects(port, node.as_str()).await;
            for address in port.each().filter(|address| address.parse::<IpAddr>().is_ok()) {
                self.behind(&zone, address);
            }
        }
        Ok(())
    }

    /// Compares a port with the object of its pod. A missing object or an object with other addresses is a finding.
    async fn against_objects(&mut self, port: &LogicalPort, node: &str) {
        let Some((namespace, name)) = &port.pod else { return };
        let full = format!("{namespace}/{name}");
        let pods = objects_of(self.cluster, "pods", Some(namespace)).await.unwrap_or_else(|e| {
            self.notes.push(e.to_string());
            CollectedObjects::NONE
        });
        let at =
            format!("{} with {} in the northbound database of {node}", port.row(), port.addresses.join(","));
        match pods.iter().find(|pod| text(pod, "/metadata/name") == name) {
            Some(pod) => {
                let networks = pod_networks(pod);
                if !networks.unreadable.is_empty() {
                    return;
                }
                let own: BTreeSet<String> = networks
                    .networks
                    .iter()
                    .flat_map(|network| &network.ip_addresses)
                    .map(|net| net.addr().to_string())
                    .chain(items(pod, "/status/podIPs").map(|ip| text(ip, "/ip").to_owned()))
                    .collect();
                let other = port.each().filter(|one| one.parse::<IpAddr>().is_ok());
                if other.into_iter().any(|ip| !own.contains(ip)) {
                    self.findings.push(format!("{at}, but the object of pod {full} has {}", joined(own)));
                }
            }
            None if pods.is_whole() => {
                self.findings.push(format!("{at}, but there is no pod {full}"));
            }
            None => self.notes.push(format!(
                "this source does not have all pods of namespace {namespace}, so it is unknown whether {full} exists"
            )),
        }
    }
}

/// Returns the router ports, NAT rules and virtual addresses of a zone that have an address.
fn others<'a>(zone: &'a ZoneRows, wanted: &'a str) -> impl Iterator<Item = String> + 'a {
    let routers = zone.router_ports.iter().filter(move |(_, mac, networks)| {
        mac == wanted || networks.iter().any(|network| network.split('/').next() == Some(wanted))
    });
    let routers =
        routers.map(|(name, mac, networks)| format!("router port {name}, {mac}, {}", networks.join(",")));
    let nats = zone.nats.iter().filter(move |(_, external, logical)| external == wanted || logical == wanted);
    let nats = nats
        .map(|(kind, external, logical)| format!("NAT rule {kind}, external {external}, logical {logical}"));
    let vips = zone.balancers.iter().flat_map(|(name, vips)| vips.iter().map(move |vip| (name, vip)));
    let vips = vips.filter(move |(_, (vip, _))| host(vip) == wanted);
    routers.chain(nats).chain(vips.map(|(name, (vip, to))| format!("load balancer {name}: {vip} to {to}")))
}
