//! Locates a pod.

use super::{
    Locator,
    ports::{LogicalPort, ZoneRows},
};
use crate::{
    nodes::joined,
    pods::{Pod, items, text},
};
use ovn_model::annotations::{DEFAULT_NETWORK, PodNetwork, PodNetworks, pod_networks};
use serde_json::Value;

/// The maximum number of load balancers that are named.
const BALANCERS: usize = 8;

impl Locator<'_, '_> {
    /// Locates a pod from its object.
    pub(super) async fn pod(&mut self, object: &Value) {
        let pod = Pod::of(object);
        let full = format!("{}/{}", pod.namespace, pod.name);
        if pod.node.is_empty() {
            self.lines.push(format!("pod {full}: phase {}, not assigned to a node", pod.phase));
            let scheduled = items(object, "/status/conditions").find(|c| text(c, "/type") == "PodScheduled");
            let why = scheduled.map(|condition| text(condition, "/message")).filter(|why| !why.is_empty());
            self.findings.extend(why.map(|why| format!("pod {full} is not scheduled: {why}")));
            return;
        }
        self.lines.push(format!(
            "pod {full}: phase {}, on node {} (zone {})",
            pod.phase,
            pod.node,
            self.zone(&pod.node)
        ));
        for trouble in pod.troubles(self.cluster.as_of()) {
            self.findings.push(format!("pod {full} is unhealthy: {trouble}"));
        }
        if let Some(gone_by) = pod.gone_by {
            self.lines.push(format!("the pod is being deleted and should be gone by {gone_by}"));
        }
        if let Some(other) = &self.deployment.other_network {
            let ips: Vec<&str> = items(object, "/status/podIPs").map(|ip| text(ip, "/ip")).collect();
            self.lines.push(format!("addresses {}, assigned by {other}", joined(ips)));
            return;
        }
        self.ovnkube_pods(&pod.node);
        if pod.host_network {
            let ips: Vec<&str> = items(object, "/status/podIPs").map(|ip| text(ip, "/ip")).collect();
            self.lines.push(format!(
                "the pod uses the host network: addresses {}; it has no logical port",
                ips.join(",")
            ));
            return;
        }
        let PodNetworks { networks, unreadable, .. } = pod_networks(object);
        // The other comparisons need all networks of the pod.
        let is_known = unreadable.is_empty();
        if !is_known {
            let text = unreadable.join("; ");
            self.findings.push(format!("cannot parse annotation k8s.ovn.org/pod-networks: {text}"));
        } else if networks.is_empty() {
            self.findings.push(format!(
                "pod {full} has no annotation k8s.ovn.org/pod-networks: OVN-Kubernetes has not assigned an address yet"
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

    /// Compares the addresses in the pod's status with those that OVN-Kubernetes assigned.
    fn status_address(&mut self, object: &Value, networks: &[PodNetwork]) {
        let given =
            |ip: &str| networks.iter().flat_map(|n| &n.ip_addresses).any(|net| net.addr().to_string() == ip);
        for ip in items(object, "/status/podIPs").map(|ip| text(ip, "/ip")) {
            if !networks.is_empty() && !given(ip) {
                self.findings.push(format!("status.podIPs has {ip}, but the annotation does not"));
            }
        }
    }

    /// Compares a network of a pod with its logical switch port.
    fn attached(&mut self, pod: &Pod, network: &PodNetwork, zone: &ZoneRows, done: bool) {
        let logical = format!("{}_{}", pod.namespace, pod.name);
        let is = |port: &&LogicalPort| {
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
                "network {name}: {address} is in the annotation but not in the northbound database, {}",
                port.row()
            ));
        }
        let known = |address: &str| {
            network.mac_address == address
                || network.ip_addresses.iter().any(|net| net.addr().to_string() == address)
        };
        for address in port.each().filter(|address| !known(address)) {
            self.findings.push(format!(
                "network {name}: {address} is in the northbound database, {}, but not in the annotation",
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
                    "network {name}: interface {interface} is not ovn-installed: its flows are not installed yet"
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
                self.findings.push(format!("{ip} is also an address of {} on the same switch", other.row()));
            }
        }
    }

    /// Finds ports of the pod that its annotation or its state does not explain. `networks` are the networks in the
    /// annotation, if it could be parsed.
    fn other_ports(
        &mut self,
        pod: &Pod,
        uid: &str,
        networks: Option<&[PodNetwork]>,
        zone: &ZoneRows,
        done: bool,
    ) {
        let of_pod = |(namespace, name): &(String, String)| *namespace == pod.namespace && *name == pod.name;
        for port in zone.ports.iter().filter(|port| port.pod.as_ref().is_some_and(of_pod)) {
            let nad = if port.nad.is_empty() { DEFAULT_NETWORK } else { &port.nad };
            if networks.is_some_and(|all| !all.iter().any(|network| network.network == nad)) {
                self.findings.push(format!(
                    "network {nad}: {} is in the northbound database of {}, but the annotation has no such network",
                    port.row(),
                    pod.node
                ));
            }
            if done && port.kind != "remote" {
                self.findings.push(format!(
                    "the pod has ended ({}), but {} still exists",
                    pod.phase,
                    port.row()
                ));
            }
            if !uid.is_empty() && !port.uid.is_empty() && port.uid != uid {
                self.findings.push(format!(
                    "{} was created for another pod of this name: its iface-id-ver is {}, but the pod's UID is {uid}",
                    port.row(),
                    port.uid
                ));
            }
        }
    }

    /// Lists the load balancers that have an address as a backend.
    pub(super) fn behind(&mut self, zone: &ZoneRows, address: &str) {
        let all = zone.balancers_to(address);
        if !all.is_empty() {
            let more = all.len().saturating_sub(BALANCERS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = all.iter().take(BALANCERS).cloned().collect::<Vec<_>>().join(", ");
            self.lines.push(format!("load balancers that send to {address}: {shown}{more}"));
        }
    }
}
