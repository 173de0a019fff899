//! What is a node's own in its kernel, for the comparison with other nodes.

use crate::{commands, interface, interface::Interface, lines::text};
use ipnet::IpNet;
use mcp_core::{Fact, Field, Identity, Node, Output, Place, ReadError, Reading};
use std::net::IpAddr;

/// The interfaces with their addresses.
pub(crate) async fn interfaces(
    node: &Node<'_>,
    place: Place,
) -> Result<crate::lines::Parsed<Interface>, ReadError> {
    let parse = |output: Output| interface::parse(&text(&output));
    node.first(vec![
        Reading::command(place.clone(), commands::addresses(), parse),
        Reading::recorded(place.clone(), "ip -d address show", parse),
        Reading::recorded(place.clone(), "ip -o addr", parse),
        Reading::recorded(place.clone(), "ip addr", parse),
        // As sos before 4.0 and many scripts write it.
        Reading::recorded(place.clone(), "ip addr show", parse),
        Reading::recorded(place, "ip -j -d address", parse),
    ])
    .await
}

/// Where what a call asks is: in the pod that it names, else on the host.
pub(crate) fn place(node: &Node<'_>) -> Place {
    node.pod().map_or(Place::Host, |pod| Place::Pod(pod.clone()))
}

/// The node's name, and its addresses, networks and MAC addresses by interface; nothing if nothing is compared. Without
/// the addresses the rows are compared as they are.
pub(crate) async fn facts(node: &Node<'_>) -> Vec<Fact> {
    if !node.is_compared() {
        return Vec::new();
    }
    let mut facts = vec![fact(Fact::NAME, node.name().as_str())];
    let mut interfaces = interfaces(node, Place::Host).await.map(|parsed| parsed.rows).unwrap_or_default();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    for interface in interfaces.iter().filter(|it| !it.is_of_pod() && it.name != "lo") {
        facts.extend(of(interface));
    }
    facts
}

fn fact(kind: impl Into<String>, value: impl ToString) -> Fact {
    Fact { kind: kind.into(), value: value.to_string(), field: None }
}

fn of(interface: &Interface) -> Vec<Fact> {
    let name = &interface.name;
    let mut facts: Vec<Fact> =
        interface.mac().map(|mac| fact(format!("{name} MAC"), mac)).into_iter().collect();
    let networks = interface.addresses.iter().filter(|address| !is_of_one(address.network()));
    for (nth, network) in networks.filter_map(|address| address.network()).enumerate() {
        let nth = if nth == 0 { String::new() } else { format!(" {}", nth + 1) };
        let mut add = |what: &str, value: String| facts.push(fact(format!("{name} {what}{nth}"), value));
        add("address", network.addr().to_string());
        add("network", network.trunc().to_string());
        add("broadcast address", network.broadcast().to_string());
        // OVN-Kubernetes gives the first address of a node's subnet to the switch's router.
        if let Some(first) = network.hosts().next().filter(|first| *first != network.addr()) {
            add("gateway", first.to_string());
            if let IpAddr::V4(first) = first {
                add("gateway MAC", ovn_model::host::derived_mac(first));
            }
        }
    }
    facts
}

/// Is it an address alone, without a network: an egress IP, which one node serves?
pub(crate) fn is_of_one(network: Option<IpNet>) -> bool {
    network.is_some_and(|net| net.prefix_len() == net.max_prefix_len() && !net.addr().is_loopback())
}

/// A row that other nodes should have too, with what should be the same.
pub(crate) fn identity(key: impl Into<String>, fields: Vec<Field>, local: bool) -> Identity {
    Identity { key: key.into(), local, role: "", fields }
}

/// Fields of what is there; what is not, is not compared as an empty text.
pub(crate) fn fields<'a>(values: impl IntoIterator<Item = (&'static str, Option<&'a str>)>) -> Vec<Field> {
    values
        .into_iter()
        .filter_map(|(name, value)| Some(Field::one(name, value.filter(|it| !it.is_empty())?)))
        .collect()
}
