//! Finds the owner of an address.

use super::Locator;
use crate::{
    nodes::{KnownNode, some},
    pods::{Pod, items, objects, text},
};
use ipnet::IpNet;
use mcp_core::ToolError;
use ovn_model::annotations::{DEFAULT_NETWORK, pod_networks};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

impl Locator<'_, '_> {
    /// Locates an IP address.
    pub(super) async fn address(&mut self, address: IpAddr) -> Result<(), ToolError> {
        let wanted = address.to_string();
        let pods = objects(self.cluster, "pods").await?;
        let has = |pod: &&Value| !networks_with(pod, address).is_empty();
        let (host, own): (Vec<Pod>, Vec<&Value>) = {
            let found: Vec<&Value> = pods.iter().filter(has).collect();
            let on_host = |object: &&&Value| Pod::of(object).host_network;
            (
                found.iter().filter(on_host).map(|o| Pod::of(o)).collect(),
                found.iter().filter(|o| !on_host(o)).copied().collect(),
            )
        };
        // Networks can have the same ranges, so an address must be unique only within a network.
        let mut by_network = BTreeMap::<String, Vec<String>>::new();
        for pod in own.iter().filter(|pod| !Pod::of(pod).is_done()) {
            for network in networks_with(pod, address) {
                let name = format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
                by_network.entry(network).or_default().push(name);
            }
        }
        for (network, pods) in by_network.into_iter().filter(|(_, pods)| pods.len() > 1) {
            self.findings.push(format!(
                "{wanted} is the address of several pods on network {network}: {}",
                pods.join(", ")
            ));
        }
        for pod in &own {
            self.pod(pod).await;
        }
        self.masquerade(address);
        let mut found = !own.is_empty();
        found |= self.of_services(address).await?;
        found |= self.of_nodes(address).await;
        for pod in host.iter().take(5) {
            self.lines.push(format!(
                "pod {}/{} has this address, because it uses the host network of {}",
                pod.namespace, pod.name, pod.node
            ));
        }
        found |= self.of_egress_ips(address).await?;
        if !found {
            let within = self.of_subnets(address);
            self.in_databases(&wanted, &within, &pods).await;
        }
        Ok(())
    }

    /// Locates the services that have an address.
    async fn of_services(&mut self, address: IpAddr) -> Result<bool, ToolError> {
        let services = objects(self.cluster, "services").await?;
        let mut found = false;
        for service in services.iter().filter(|service| serves(service, address)) {
            found = true;
            self.service(service).await;
        }
        Ok(found)
    }

    /// Lists the nodes that have an address, and locates the first of them.
    async fn of_nodes(&mut self, address: IpAddr) -> bool {
        let mut said = Vec::new();
        let mut whose = None;
        for node in &self.nodes {
            let roles = roles(node, address);
            if !roles.is_empty() {
                said.push(format!("{address} belongs to node {}: {}", node.name, roles.join(", ")));
                whose = whose.or(Some(node.name.clone()));
            }
        }
        let known = !said.is_empty();
        self.lines.append(&mut said);
        if let Some(node) = whose {
            self.node(&node).await;
        }
        known
    }

    /// Lists the nodes whose subnets contain an address.
    fn of_subnets(&mut self, address: IpAddr) -> Vec<String> {
        let within =
            |node: &&KnownNode| node.annotations.subnets.values().flatten().any(|net| net.contains(&address));
        let within: Vec<String> = self.nodes.iter().filter(within).map(|node| node.name.clone()).collect();
        if !within.is_empty() {
            self.lines.push(format!("{address} is in a subnet of node {}", some(&within)));
        }
        within
    }

    async fn of_egress_ips(&mut self, address: IpAddr) -> Result<bool, ToolError> {
        let mut found = false;
        for egress in objects(self.cluster, "egressips.k8s.ovn.org").await?.iter() {
            if items(egress, "/spec/egressIPs").filter_map(Value::as_str).any(|ip| is(ip, address)) {
                found = true;
                let name = text(egress, "/metadata/name");
                let mut status =
                    items(egress, "/status/items").filter(|item| is(text(item, "/egressIP"), address));
                match status.next() {
                    Some(item) => self.lines.push(format!(
                        "{address} is an egress IP of EgressIP {name}, on node {}",
                        text(item, "/node")
                    )),
                    None if egress.pointer("/status/items").is_none() => {
                        self.lines.push(format!(
                            "{address} is an egress IP of EgressIP {name}, which has no status in this source"
                        ));
                    }
                    None => self
                        .findings
                        .push(format!("EgressIP {name} has {address}, but it is not assigned to a node")),
                }
            }
        }
        Ok(found)
    }

    /// Locates a MAC address.
    pub(super) async fn mac(&mut self, mac: &str) -> Result<(), ToolError> {
        let pods = objects(self.cluster, "pods").await?;
        let has = |pod: &&Value| {
            pod_networks(pod).networks.iter().any(|network| network.mac_address.to_lowercase() == mac)
        };
        let found: Vec<&Value> = pods.iter().filter(has).collect();
        for pod in &found {
            self.pod(pod).await;
        }
        let gateways: Vec<String> = self
            .nodes
            .iter()
            .filter(|node| node.gateway().is_some_and(|gateway| gateway.mac_address.to_lowercase() == mac))
            .map(|node| node.name.clone())
            .collect();
        for node in &gateways {
            self.lines.push(format!(
                "{mac} is the MAC address of the gateway router and the external bridge of node {node}"
            ));
        }
        if found.is_empty() && gateways.is_empty() {
            self.in_databases(mac, &[], &pods).await;
        }
        Ok(())
    }
}

/// Returns the networks on which a pod has an address. If only the status has the address, it is the default network.
fn networks_with(pod: &Value, address: IpAddr) -> Vec<String> {
    let networks = pod_networks(pod).networks.into_iter();
    let with = networks.filter(|network| network.ip_addresses.iter().any(|net| net.addr() == address));
    let with: Vec<String> = with.map(|network| network.network).collect();
    let by_status = items(pod, "/status/podIPs").any(|ip| is(text(ip, "/ip"), address));
    if with.is_empty() && by_status { vec![DEFAULT_NETWORK.to_owned()] } else { with }
}

/// Checks whether an address is a cluster address or an external address of a service.
pub(super) fn serves(service: &Value, address: IpAddr) -> bool {
    items(service, "/spec/clusterIPs")
        .chain(items(service, "/spec/externalIPs"))
        .filter_map(Value::as_str)
        .chain(items(service, "/status/loadBalancer/ingress").map(|ingress| text(ingress, "/ip")))
        .any(|ip| is(ip, address))
}

/// Compares a text with an address. It parses the text, because an IPv6 address has several spellings.
pub(super) fn is(text: &str, address: IpAddr) -> bool {
    text.parse() == Ok(address)
}

/// Returns the n-th address of a network. The 0th address is the network address.
pub(super) fn nth(net: &IpNet, n: u8) -> Option<IpAddr> {
    Some(match net.network() {
        IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits().checked_add(n.into())?).into(),
        IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits().checked_add(n.into())?).into(),
    })
}

/// Returns the roles of an address on a node.
fn roles(node: &KnownNode, address: IpAddr) -> Vec<String> {
    let annotations = &node.annotations;
    let mut roles = Vec::new();
    if node.addresses.iter().any(|own| is(own, address)) {
        roles.push("node address".to_owned());
    }
    let is_of = |net: &IpNet| net.addr() == address;
    for (role, nets) in
        [("host address", &annotations.host_cidrs), ("transit switch port", &annotations.transit)]
    {
        if nets.iter().any(is_of) && roles.is_empty() {
            roles.push(role.to_owned());
        }
    }
    if annotations.encap_ips.contains(&address) {
        roles.push("encapsulation address".to_owned());
    }
    // The first address of a subnet is the router's and the second is the management port's, as in go-controller's
    // GetNodeGatewayIfAddr and GetNodeManagementIfAddr.
    for (network, net) in
        annotations.subnets.iter().flat_map(|(network, nets)| nets.iter().map(move |net| (network, net)))
    {
        if nth(net, 1) == Some(address) {
            roles.push(format!("router port of the node's switch (network {network})"));
        } else if nth(net, 2) == Some(address) {
            roles.push(format!("management port (network {network})"));
        }
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_addresses_of_a_subnet_belong_to_the_router_and_the_management_port() {
        let node = serde_json::json!({ "metadata": { "name": "n1", "annotations": {
            "k8s.ovn.org/node-subnets": r#"{"default":["10.244.1.0/24","fd00:10:244:2::/64"]}"#
        } } });
        let node = KnownNode::of(&node);
        for (address, role) in [
            ("10.244.1.0", ""),
            ("10.244.1.1", "router port of the node's switch (network default)"),
            ("10.244.1.2", "management port (network default)"),
            ("10.244.1.3", ""),
            ("fd00:10:244:2::", ""),
            ("fd00:10:244:2::1", "router port of the node's switch (network default)"),
            ("fd00:10:244:2::2", "management port (network default)"),
            ("fd00:10:244:2::3", ""),
        ] {
            assert_eq!(roles(&node, address.parse().unwrap()).join(", "), role, "{address}");
        }
        assert!(is("FD00::0001", "fd00::1".parse().unwrap()));
    }
}
