//! The values that the annotations of a node give as its own.
//!
//! A database contains a node's own values whether they are right or wrong. OVN-Kubernetes takes these values from the
//! annotations, so a value that differs from its annotation is not recognized as the node's own, and a comparison shows
//! it.

use crate::{
    annotations::{DEFAULT_NETWORK, NodeAnnotations},
    compare::{KEY_COLUMNS, Own},
};
use ipnet::IpNet;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Replaces a node's own values with the values of the same kind from its annotations.
pub fn confirmed(own: Vec<Own>, annotations: &NodeAnnotations) -> Vec<Own> {
    let annotated = annotated(&own, annotations);
    let kinds: BTreeSet<(&str, Option<&str>)> =
        annotated.iter().map(|it| (it.kind.as_str(), it.column)).collect();
    let mut all: Vec<Own> =
        own.into_iter().filter(|it| !kinds.contains(&(it.kind.as_str(), it.column))).collect();
    all.extend(annotated.iter().cloned());
    all
}

/// Returns the values of the annotations for the kinds that exist.
fn annotated(own: &[Own], annotations: &NodeAnnotations) -> Vec<Own> {
    let mut all = Vec::new();
    // The prefix of a network's kinds: empty for the default network, `blue ` for another.
    let mut add = |kind: &str, column: Option<&'static str>, value: String| {
        if own.iter().any(|it| it.kind == kind && it.column == column) {
            all.push(Own { kind: kind.into(), value, column });
        }
    };
    for (network, subnets) in &annotations.subnets {
        let of = match network.as_str() {
            DEFAULT_NETWORK => String::new(),
            // `util.GetSecondaryNetworkPrefix`: names in OVN contain neither sign.
            other => format!("{} ", other.replace(['-', '/'], ".")),
        };
        for subnet in subnets {
            if matches!(subnet, IpNet::V4(_)) {
                add(&format!("{of}subnet"), None, subnet.to_string());
            }
            // `util.GetNodeGatewayIfAddr` and `GetNodeManagementIfAddr`: the first address and the second.
            for (whose, n) in [("gateway address", 1), ("management address", 2)] {
                if let Some(address) = nth(*subnet, n) {
                    add(&format!("{of}{whose}"), None, address.to_string());
                }
            }
        }
    }
    let kinds = |end: &str| -> BTreeSet<String> {
        own.iter().map(|it| &it.kind).filter(|kind| kind.ends_with(end)).cloned().collect()
    };
    for kind in kinds("transit address") {
        annotations.transit.iter().for_each(|transit| add(&kind, None, transit.addr().to_string()));
    }
    if annotations.join.is_empty() {
        // Releases without this annotation derive the node's address from its number.
        let network = own.iter().find(|it| it.kind == "join network").and_then(|it| it.value.parse().ok());
        let number = annotations.node_id.as_ref().and_then(|id| id.parse().ok());
        let address = network.zip(number).and_then(|(network, number)| nth(network, number));
        address.into_iter().for_each(|address| add("join address", None, address.to_string()));
    }
    annotations.join.iter().for_each(|join| add("join address", None, join.addr().to_string()));
    for (kind, id) in kinds("transit tunnel key").into_iter().zip(annotations.node_id.iter().cycle()) {
        for column in KEY_COLUMNS {
            add(&kind, Some(column), id.clone());
        }
    }
    if let Some(gateway) = annotations.gateways.get(DEFAULT_NETWORK) {
        for network in &gateway.ip_addresses {
            add("external address", None, network.addr().to_string());
        }
        if !gateway.mac_address.is_empty() {
            add("external MAC", None, gateway.mac_address.to_lowercase());
            add(&format!("{} MAC", gateway.bridge_id), None, gateway.mac_address.to_lowercase());
        }
    }
    annotations.encap_ips.iter().for_each(|ip| add("encapsulation address", None, ip.to_string()));
    if let Some(id) = &annotations.chassis_id {
        let zone = own.iter().find(|it| it.kind == crate::compare::NAME).map(|it| it.value.as_str());
        for kind in kinds("chassis") {
            let value = match kind.ends_with("name and chassis") {
                true => format!("{}-{id}", zone.unwrap_or_default()),
                false => id.clone(),
            };
            add(&kind, None, value);
        }
        for chassis in crate::switch::chassis(id) {
            add(&chassis.kind, None, chassis.value);
        }
    }
    all
}

/// Returns the address with this number in a network.
fn nth(network: IpNet, n: u32) -> Option<IpAddr> {
    let address = match network.network() {
        IpAddr::V4(first) => IpAddr::V4(Ipv4Addr::from_bits(first.to_bits().checked_add(n)?)),
        IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits().checked_add(n.into())?)),
    };
    network.contains(&address).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(kind: &str, value: &str) -> Own {
        Own { kind: kind.into(), value: value.into(), column: None }
    }

    #[test]
    fn annotations_override_the_database() {
        let node = serde_json::json!({ "metadata": { "annotations": {
            "k8s.ovn.org/node-subnets": "{\"default\":[\"10.244.1.0/24\"],\"blue_l3-secondary\":[\"10.201.1.0/24\"]}",
            "k8s.ovn.org/node-transit-switch-port-ifaddr": "{\"ipv4\":\"100.88.0.2/16\"}",
            "k8s.ovn.org/node-chassis-id": "df52", "k8s.ovn.org/node-id": "2",
        } } });
        let annotations = NodeAnnotations::of(&node);
        let key = |value: &str| Own { column: Some("tunnel_key"), ..own("transit tunnel key", value) };
        let of_database = vec![
            own("name", "ovn-worker"),
            own("gateway address", "10.244.1.77"),
            own("blue_l3.secondary gateway address", "10.201.1.77"),
            own("transit address", "100.88.0.77"),
            own("name and chassis", "ovn-worker-x"),
            own("join network", "100.64.0.0/16"),
            own("join address", "100.64.0.77"),
            key("77"),
        ];
        let mut confirmed = confirmed(of_database, &annotations);
        confirmed.sort();
        let mut expected = [
            own("name", "ovn-worker"),
            own("gateway address", "10.244.1.1"),
            own("blue_l3.secondary gateway address", "10.201.1.1"),
            own("transit address", "100.88.0.2"),
            own("name and chassis", "ovn-worker-df52"),
            own("join network", "100.64.0.0/16"),
            own("join address", "100.64.0.2"),
            key("2"),
        ];
        expected.sort();
        assert_eq!(confirmed, expected);
    }
}
