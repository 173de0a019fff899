//! Where a pod is.

use super::{
    Locator,
    ports::{Port, Zone},
};
use crate::{
    nodes::joined,
    pods::{Pod, items, text},
};
use ovn_model::annotations::{DEFAULT_NETWORK, PodNetwork, PodNetworks, pod_networks};
use serde_json::Value;

/// As many load balancers are named.
const BALANCERS: usize = 8;

impl Locator<'_, '_> {
    /// A pod, from its object.
    pub(super) async fn pod(&mut self, object: &Value) {
        let pod = Pod::of(object);
        let full = format!("{}/{}", pod.namespace, pod.name);
        if pod.node.is_empty() {
            self.lines.push(format!("pod {full}: {}, on no node", pod.phase));
            let scheduled = items(object, "/status/conditions").find(|c| text(c, "/type") == "PodScheduled");
            let why = scheduled.map(|condition| text(condition, "/message")).filter(|why| !why.is_empty());
            self.findings.extend(why.map(|why| format!("pod {full} is not scheduled: {why}")));
            return;
        }
        self.lines.push(format!(
            "pod {full}: {}, on node {} (zone {})",
            pod.phase,
            pod.node,
            self.zone(&pod.node)
        ));
        for trouble in pod.troubles(self.cluster.as_of()) {
            self.findings.push(format!("pod {full} is not well: {trouble}"));
        }
        if let Some(gone_by) = pod.gone_by {
            self.lines.push(format!("it is being deleted: it should be gone by {gone_by}"));
        }
        if let Some(other) = &self.deployment.other_network {
            let ips: Vec<&str> = items(object, "/status/podIPs").map(|ip| text(ip, "/ip")).collect();
            self.lines.push(format!("addresses {}, given by {other}", joined(ips)));
            return;
        }
        self.machinery(&pod.node);
        if pod.host_network {
            let ips: Vec<&str> = items(object, "/status/podIPs").map(|ip| text(ip, "/ip")).collect();
            self.lines
                .push(format!("network of its host: addresses {}; it has no logical port", ips.join(",")));
            return;
        }
        let PodNetworks { networks, unreadable, .. } = pod_networks(object);
        // What else is said of a pod's networks needs all of them.
        let is_known = unreadable.is_empty();
        if !is_known {
            let text = unreadable.join("; ");
            self.findings.push(format!("the annotation k8s.ovn.org/pod-networks is not understood: {text}"));
        } else if networks.is_empty() {
            self.findings.push(format!(
                "pod {full} has no annotation k8s.ovn.org/pod-networks: OVN-Kubernetes gave it no address yet"
            ));
        }
        if is_known {
            self.status_address(object, &networks);
        }
        let zone = self.zone_of(&pod.node).await;
        let done = pod.is_done();
        for network in &networks {
            self.lines.push(format!("network {network}"));
            if let Some(zone) = &zone {
                self.attached(&pod, network, zone, done);
            }
        }
        if let Some(zone) = &zone {
            let networks = is_known.then_some(networks.as_slice());
            self.other_ports(&pod, text(object, "/metadata/uid"), networks, zone, done);
        }
        if !done {
            self.egress(object, &pod, &networks).await;
        }
        if let Some(zone) = &zone {
            for address in
                networks.iter().flat_map(|network| &network.ip_addresses).map(|ip| ip.addr().to_string())
            {
                self.behind(zone, &address);
            }
        }
    }

    /// The address that Kubernetes shows must be the one that OVN-Kubernetes gave.
    fn status_address(&mut self, object: &Value, networks: &[PodNetwork]) {
        let given =
            |ip: &str| networks.iter().flat_map(|n| &n.ip_addresses).any(|net| net.addr().to_string() == ip);
        for ip in items(object, "/status/podIPs").map(|ip| text(ip, "/ip")) {
            if !networks.is_empty() && !given(ip) {
                self.findings.push(format!("status.podIPs has {ip}, which the annotation does not"));
            }
        }
    }

    /// A network of a pod against the port that it should have.
    fn attached(&mut self, pod: &Pod, network: &PodNetwork, zone: &Zone, done: bool) {
        let logical = format!("{}_{}", pod.namespace, pod.name);
        let is = |port: &&Port| {
            if network.network == DEFAULT_NETWORK {
                port.name == logical
            } else {
                port.nad == network.network
                    && port.pod.as_ref().is_some_and(|(of, name)| *of == pod.namespace && *name == pod.name)
            }
        };
        let name = &network.network;
        let Some(port) = zone.ports.iter().find(is) else {
            if !done {
                self.findings.push(format!(
                    "network {name}: the northbound database of {} has no port for the pod",
                    pod.node
                ));
            }
            return;
        };
        self.lines.push(format!("  {}", port.line()));
        let addresses = network
            .ip_addresses
            .iter()
            .map(|net| net.addr().to_string())
            .chain([network.mac_address.clone()]);
        for address in addresses.filter(|address| !address.is_empty() && !port.has(address)) {
            self.findings.push(format!(
                "network {name}: {address} is in the annotation and not in the northbound database, {}",
                port.row()
            ));
        }
        let known = |address: &str| {
            network.mac_address == address
                || network.ip_addresses.iter().any(|net| net.addr().to_string() == address)
        };
        for address in port.each().filter(|address| !known(address)) {
            self.findings.push(format!(
                "network {name}: {address} is in the northbound database, {}, and not in the annotation",
                port.row()
            ));
        }
        if port.up == Some(false) {
            self.findings.push(format!("network {name}: {} is not up", port.row()));
        }
        if zone.has_southbound && !port.bound {
            let why =
                if port.binding.is_some() { "bound to no chassis" } else { "not in the southbound database" };
            self.findings.push(format!("network {name}: {} is {why}", port.row()));
        }
        match &port.interface {
            None if zone.has_interfaces => {
                self.findings.push(format!(
                    "network {name}: Open vSwitch of {} has no interface with iface-id {}",
                    pod.node, port.name
                ));
            }
            Some((interface, false)) => {
                self.findings.push(format!(
                    "network {name}: interface {interface} is not ovn-installed: its flows are not there yet"
                ));
            }
            _ => {}
        }
        for ip in network.ip_addresses.iter().map(|net| net.addr().to_string()) {
            let others = zone
                .ports
                .iter()
                .filter(|other| other.name != port.name && other.switch == port.switch && other.has(&ip));
            for other in others {
                self.findings.push(format!("{ip} is an address of {} too, on the same switch", other.row()));
            }
        }
    }

    /// Ports that the zone has for the pod, and that its annotation or its state does not tell of.
    /// `networks`: those of its annotation, if all are known.
    fn other_ports(
        &mut self,
        pod: &Pod,
        uid: &str,
        networks: Option<&[PodNetwork]>,
        zone: &Zone,
        done: bool,
    ) {
        let of_pod = |(namespace, name): &(String, String)| *namespace == pod.namespace && *name == pod.name;
        for port in zone.ports.iter().filter(|port| port.pod.as_ref().is_some_and(of_pod)) {
            let nad = if port.nad.is_empty() { DEFAULT_NETWORK } else { &port.nad };
            if networks.is_some_and(|all| !all.iter().any(|network| network.network == nad)) {
                self.findings.push(format!(
                    "network {nad}: {} is in the northbound database of {}, and the annotation has no such network",
                    port.row(),
                    pod.node
                ));
            }
            if done && port.kind != "remote" {
                self.findings.push(format!(
                    "the pod is done ({}), and {} is still there",
                    pod.phase,
                    port.row()
                ));
            }
            if !uid.is_empty() && !port.uid.is_empty() && port.uid != uid {
                self.findings.push(format!(
                    "{} was made for another pod of this name: iface-id-ver {}, and the pod's UID is {uid}",
                    port.row(),
                    port.uid
                ));
            }
        }
    }

    /// The load balancers that send to an address.
    pub(super) fn behind(&mut self, zone: &Zone, address: &str) {
        let all = zone.balancers_to(address);
        if !all.is_empty() {
            let more = all.len().saturating_sub(BALANCERS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = all.iter().take(BALANCERS).cloned().collect::<Vec<_>>().join(", ");
            self.lines.push(format!("load balancers that send to {address}: {shown}{more}"));
        }
    }
}
