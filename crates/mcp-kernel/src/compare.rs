//! Each node's own values (addresses, networks, MAC addresses), for the comparison with other nodes.

use crate::{
    commands,
    output::{filled, text, timed},
};
use host_net::{interface, interface::Interface};
use ipnet::IpNet;
use mcp_core::{CommandPlace, Fact, Node, Output, ReadError, Reading, RowField, RowIdentity};
use ovn_model::{
    annotations::{DEFAULT_NETWORK, NodeAnnotations},
    host,
};
use std::net::IpAddr;

/// Reads the interfaces with their addresses.
pub(crate) async fn interfaces(
    node: &Node<'_>,
    place: CommandPlace,
) -> Result<host_net::lines::Parsed<Interface>, ReadError> {
    let parse = |output: Output| interface::parse(timed(&text(&output)));
    let readings = vec![
        Reading::command(place.clone(), commands::addresses(), parse),
        Reading::recorded(place.clone(), "ip -d address show", parse),
        Reading::recorded(place.clone(), "ip -o addr", parse),
        Reading::recorded(place.clone(), "ip addr", parse),
        // sos before 4.0 and many scripts use this command.
        Reading::recorded(place.clone(), "ip addr show", parse),
        Reading::recorded(place, "ip -j -d address", parse),
    ];
    filled("the addresses", node.first(readings).await?)
}

/// Returns where a call reads: in the network namespace of the pod that it names, or on the host.
pub(crate) fn place(node: &Node<'_>) -> CommandPlace {
    node.pod().map_or(CommandPlace::Host, |pod| CommandPlace::Pod(pod.clone()))
}

/// Returns the node's name, and its addresses, networks and MAC addresses by interface. The list is empty if the call
/// does not compare nodes. If the addresses cannot be read, the answer gets a note.
pub(crate) async fn facts(node: &Node<'_>) -> Vec<Fact> {
    if !node.is_compared() {
        return Vec::new();
    }
    let mut facts = vec![fact(Fact::NAME, node.name().as_str())];
    let read = interfaces(node, CommandPlace::Host).await.map(|parsed| parsed.rows);
    let mut interfaces = node.own_values("addresses and MAC addresses", read);
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    for interface in interfaces.iter().filter(|it| !host::is_pod_interface(&it.name) && it.name != "lo") {
        facts.extend(of(interface));
    }
    match node.object().await {
        Some(object) => confirmed(facts, &NodeAnnotations::of(&object)),
        None => facts,
    }
}

fn fact(kind: impl Into<String>, value: impl ToString) -> Fact {
    Fact { kind: kind.into(), value: value.to_string(), field: None }
}

fn of(interface: &Interface) -> Vec<Fact> {
    let name = &interface.name;
    let networks = interface.addresses.iter().filter(|address| !is_of_one(address.network()));
    let networks: Vec<IpNet> = networks.filter_map(|address| address.network()).collect();
    // OVN-Kubernetes derives some MAC addresses from an IPv4 address. A MAC address that is not derived gets another
    // kind, so that it stands out.
    let is_derived = |mac: &str| networks.iter().any(|net| derived_mac(net.addr()).as_deref() == Some(mac));
    let kind = |mac: &str| if is_derived(mac) { "derived MAC" } else { "MAC" };
    let mut facts: Vec<Fact> =
        interface.mac().map(|mac| fact(format!("{name} {}", kind(mac)), mac)).into_iter().collect();
    for (nth, network) in networks.into_iter().enumerate() {
        let nth = if nth == 0 { String::new() } else { format!(" {}", nth + 1) };
        facts.extend(of_network(name, &nth, network));
    }
    facts
}

/// Returns the facts that follow from an address of an interface and its network. `nth` is the number of the address,
/// and empty for the first.
fn of_network(name: &str, nth: &str, network: IpNet) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |what: &str, value: String| facts.push(fact(format!("{name} {what}{nth}"), value));
    add("address", network.addr().to_string());
    add("network", network.trunc().to_string());
    add("broadcast address", network.broadcast().to_string());
    // OVN-Kubernetes gives the first address of a node's subnet to the router port of the node's switch.
    if let Some(first) = network.hosts().next().filter(|first| *first != network.addr()) {
        add("gateway", first.to_string());
        derived_mac(first).into_iter().for_each(|mac| add("gateway MAC", mac));
    }
    facts
}

fn derived_mac(address: IpAddr) -> Option<String> {
    match address {
        IpAddr::V4(address) => Some(host::derived_mac(address)),
        IpAddr::V6(_) => None,
    }
}

/// Replaces facts from the kernel by the values in the node's annotations. A wrong address in the kernel then does not
/// count as the node's own, and stands out.
fn confirmed(mut facts: Vec<Fact>, annotations: &NodeAnnotations) -> Vec<Fact> {
    let mut told = Vec::new();
    if let Some(gateway) = annotations.gateways.get(DEFAULT_NETWORK) {
        let first = gateway.ip_addresses.iter().find(|net| net.addr().is_ipv4());
        told.extend(first.into_iter().flat_map(|net| of_network(&gateway.bridge_id, "", *net)));
        if !gateway.mac_address.is_empty() {
            told.push(fact(format!("{} MAC", gateway.bridge_id), gateway.mac_address.to_lowercase()));
        }
    }
    let subnets = annotations.subnets.get(DEFAULT_NETWORK);
    let management = subnets.into_iter().flatten().find(|net| net.addr().is_ipv4()).and_then(|net| {
        let second = net.hosts().nth(1)?;
        IpNet::new(second, net.prefix_len()).ok()
    });
    told.extend(management.into_iter().flat_map(|net| of_network(host::MANAGEMENT_PORT, "", net)));
    for fact in told {
        let before = facts.len();
        facts.retain(|it| it.kind != fact.kind);
        // An annotation without a counterpart in the kernel adds no fact.
        if facts.len() < before {
            facts.push(fact);
        }
    }
    facts
}

/// Returns true for a single address without a network, such as an egress IP, which only one node serves.
pub(crate) fn is_of_one(network: Option<IpNet>) -> bool {
    network.is_some_and(|net| net.prefix_len() == net.max_prefix_len() && !net.addr().is_loopback())
}

/// Creates the identity of a row that other nodes should have too, unless it is local. `fields` should be equal on all
/// nodes.
pub(crate) fn identity(key: impl Into<String>, fields: Vec<RowField>, local: bool) -> RowIdentity {
    RowIdentity { key: key.into(), local, fields, ..RowIdentity::default() }
}

/// Creates fields from the values that exist, so that a missing value is not compared as an empty text.
pub(crate) fn fields<'a>(values: impl IntoIterator<Item = (&'static str, Option<&'a str>)>) -> Vec<RowField> {
    values
        .into_iter()
        .filter_map(|(name, value)| Some(RowField::one(name, value.filter(|it| !it.is_empty())?)))
        .collect()
}
