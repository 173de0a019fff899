//! The annotations `k8s.ovn.org/*` that OVN-Kubernetes writes on Kubernetes objects.
//!
//! Cluster manager gives each node its subnets and addresses, ovnkube-node describes its gateway and chassis, and
//! each pod has its addresses by network. Names and forms follow go-controller's `pkg/util/node_annotations.go` and
//! `pod_annotation.go`. Older releases wrote one string where newer releases write a list.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    net::IpAddr,
    str::FromStr,
};

/// The prefix of the names of these annotations.
const PREFIX: &str = "k8s.ovn.org/";

/// The annotation of pods that describes their networks.
pub const POD_NETWORKS: &str = "k8s.ovn.org/pod-networks";

/// The name of the network that exists without a definition.
pub const DEFAULT_NETWORK: &str = "default";

/// The values in the annotations of a node. Absent annotations give empty values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAnnotations {
    /// The interconnect zone (`zone-name`). If it is missing, each node is a zone with the name of the node.
    pub zone: Option<String>,
    /// The name of the node's chassis, which is Open vSwitch's `system-id`.
    pub chassis_id: Option<String>,
    /// The number that the transit and join addresses are derived from.
    pub node_id: Option<String>,
    /// The subnets of the node's pods, by network.
    pub subnets: BTreeMap<String, Vec<IpNet>>,
    /// The gateway router of the node, by network.
    pub gateways: BTreeMap<String, Gateway>,
    /// The addresses of the interface that the node's gateway uses.
    pub primary: Vec<IpNet>,
    /// The node's addresses on the transit switch between zones.
    pub transit: Vec<IpNet>,
    /// The addresses of the node's gateway router on the join switch. Newer releases do not write them, because they
    /// follow from [`Self::node_id`].
    pub join: Vec<IpNet>,
    /// All addresses of the host.
    pub host_cidrs: Vec<IpNet>,
    /// The addresses where tunnels to the node end. If the list is empty, tunnels end at the node's own address.
    pub encap_ips: Vec<IpAddr>,
    /// The range of the addresses that stand for the host inside OVN, which is the same on all nodes
    /// (`node-masquerade-subnet`).
    pub masquerade: Vec<IpNet>,
    /// Annotations that could not be parsed: name and text.
    pub unreadable: Vec<(String, String)>,
}

/// The connection of a node's gateway router to external networks (`l3-gateway-config`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Gateway {
    /// The mode: `shared`, `local`, or empty for a network without a gateway.
    pub mode: String,
    /// The bridge, such as `br-ex`.
    pub bridge_id: String,
    /// The localnet port of the external switch, such as `br-ex_<node>`.
    pub interface_id: String,
    /// The MAC address of the bridge and of the gateway router.
    pub mac_address: String,
    /// The addresses of the gateway router.
    #[serde(deserialize_with = "or_default")]
    pub ip_addresses: Vec<IpNet>,
    /// The default gateways of the host.
    #[serde(deserialize_with = "or_default")]
    pub next_hops: Vec<IpAddr>,
    /// `true` if the node serves node ports.
    pub node_port_enable: String,
    /// The VLAN of the uplink; `0` for none.
    pub vlan_id: String,
}

/// A network of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodNetwork {
    /// The name: `default`, or the `namespace/name` of its NetworkAttachmentDefinition.
    #[serde(skip)]
    pub network: String,
    /// The addresses of the pod. A network without address management has none.
    #[serde(deserialize_with = "or_default")]
    pub ip_addresses: Vec<IpNet>,
    /// The MAC address of the pod.
    #[serde(deserialize_with = "or_default")]
    pub mac_address: String,
    /// The next hops of the default route.
    #[serde(deserialize_with = "or_default")]
    pub gateway_ips: Vec<IpAddr>,
    /// The other routes.
    #[serde(deserialize_with = "or_default")]
    pub routes: Vec<PodRoute>,
    /// The role: `primary`, `secondary` or `infrastructure-locked`.
    #[serde(deserialize_with = "or_default")]
    pub role: String,
    /// The tunnel key of the port in a layer 2 network. It must be the same in all zones.
    pub tunnel_id: Option<u32>,
}

/// The networks of a pod, as far as they can be parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodNetworks {
    /// Whether the pod has the annotation. A pod on the host network, or without addresses yet, does not have it.
    pub is_annotated: bool,
    /// The networks, with the default network first.
    pub networks: Vec<PodNetwork>,
    /// The texts of the networks that could not be parsed, with their names, or the whole text if it has no names.
    pub unreadable: Vec<String>,
}

/// Parses a value that may be `null`, because Go writes an empty list as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// A route of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRoute {
    /// The destination.
    pub dest: IpNet,
    /// The gateway. Empty for a route on the link.
    #[serde(default)]
    pub next_hop: String,
}

/// Returns the tunnel endpoints of all nodes by node name, from the Node objects; see [`tunnel_ends`].
pub fn tunnel_ends_of(nodes: &[Value]) -> BTreeMap<String, Vec<IpAddr>> {
    let name = |node: &Value| node.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    nodes.iter().filter_map(|node| Some((name(node)?, tunnel_ends(node)))).collect()
}

/// Returns the addresses where tunnels to a node may end: those of the annotation `k8s.ovn.org/node-encap-ips`, or
/// the internal addresses of the Node object. The list is empty if the object has neither.
pub fn tunnel_ends(node: &Value) -> Vec<IpAddr> {
    let given = NodeAnnotations::of(node).encap_ips;
    if !given.is_empty() {
        return given;
    }
    let addresses = node.pointer("/status/addresses").and_then(Value::as_array);
    let internal = |address: &&Value| address.pointer("/type").and_then(Value::as_str) == Some("InternalIP");
    let parsed = |address: &Value| address.pointer("/address")?.as_str()?.parse().ok();
    addresses.into_iter().flatten().filter(internal).filter_map(parsed).collect()
}

impl NodeAnnotations {
    /// Parses the annotations of a Node object.
    pub fn of(node: &Value) -> Self {
        let mut all = Self::default();
        let annotations = node.pointer("/metadata/annotations").and_then(Value::as_object);
        for (key, value) in annotations.into_iter().flatten() {
            if let (Some(name), Some(text)) = (key.strip_prefix(PREFIX), value.as_str())
                && all.add(name, text).is_none()
            {
                all.unreadable.push((key.clone(), text.to_owned()));
            }
        }
        all
    }

    fn add(&mut self, name: &str, text: &str) -> Option<()> {
        match name {
            "zone-name" => self.zone = Some(text.into()),
            "node-chassis-id" => self.chassis_id = Some(text.into()),
            "node-id" => self.node_id = Some(text.into()),
            "node-subnets" => {
                let all: BTreeMap<String, Option<Several>> = serde_json::from_str(text).ok()?;
                for (network, subnets) in all {
                    self.subnets.insert(network, parsed(subnets)?);
                }
            }
            "l3-gateway-config" => self.gateways = serde_json::from_str(text).ok()?,
            "node-primary-ifaddr" => self.primary = both(text)?,
            "node-transit-switch-port-ifaddr" => self.transit = both(text)?,
            "node-gateway-router-lrp-ifaddr" => self.join = both(text)?,
            "node-gateway-router-lrp-ifaddrs" => {
                let all: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(text).ok()?;
                let own = all.get(DEFAULT_NETWORK).into_iter().flat_map(BTreeMap::values);
                self.join =
                    own.filter(|it| !it.is_empty()).map(|it| it.parse().ok()).collect::<Option<_>>()?;
            }
            "host-cidrs" => self.host_cidrs = parsed(serde_json::from_str(text).ok()?)?,
            "node-encap-ips" => self.encap_ips = parsed(serde_json::from_str(text).ok()?)?,
            "node-masquerade-subnet" => self.masquerade = both(text)?,
            _ => {}
        }
        Some(())
    }
}

/// Parses the networks of a Pod object.
pub fn pod_networks(pod: &Value) -> PodNetworks {
    let annotations = pod.pointer("/metadata/annotations");
    match annotations.and_then(|all| all.get(POD_NETWORKS)).and_then(Value::as_str) {
        None => PodNetworks::default(),
        Some(text) => networks(text),
    }
}

/// Parses each network separately, so that a network of an unknown form does not hide the others.
fn networks(text: &str) -> PodNetworks {
    let mut all = PodNetworks { is_annotated: true, ..PodNetworks::default() };
    let Ok(by_name) = serde_json::from_str::<BTreeMap<String, Value>>(text) else {
        all.unreadable.push(text.to_owned());
        return all;
    };
    for (network, value) in by_name {
        match serde_json::from_value::<PodNetwork>(value.clone()) {
            Ok(one) => all.networks.push(PodNetwork { network, ..one }),
            Err(_) => all.unreadable.push(format!("{network}: {value}")),
        }
    }
    all.networks.sort_by_key(|one| one.network != DEFAULT_NETWORK);
    all
}

/// Returns an annotation of OVN-Kubernetes or Multus in readable form, in one line or several. Returns `None` if the
/// annotation belongs to another program or cannot be parsed; then show it unchanged.
pub fn readable(key: &str, text: &str) -> Option<String> {
    if key == "k8s.v1.cni.cncf.io/network-status" {
        let all: Vec<Attached> = serde_json::from_str(text).ok()?;
        return Some(lines(all));
    }
    let lines = match key.strip_prefix(PREFIX)? {
        "pod-networks" => {
            let PodNetworks { networks, unreadable, .. } = networks(text);
            if networks.is_empty() && !unreadable.is_empty() {
                return None;
            }
            lines(networks.iter().map(PodNetwork::to_string).chain(unreadable))
        }
        "l3-gateway-config" => {
            let all: BTreeMap<String, Gateway> = serde_json::from_str(text).ok()?;
            lines(all.iter().map(|(network, gateway)| format!("{network}: {gateway}")))
        }
        // An annotation without its own form is a list, a map, or a map of either.
        _ => match serde_json::from_str(text).ok()? {
            Value::Object(map) => {
                let one = |(key, value): (&String, &Value)| format!("{key}: {}", plain(value));
                map.iter().map(one).collect::<Vec<_>>().join("; ")
            }
            value @ Value::Array(_) => plain(&value),
            _ => return None,
        },
    };
    Some(lines)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "none".into(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            let all: Vec<_> = map.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect();
            all.join(", ")
        }
        other => other.to_string(),
    }
}

/// One value or a list of values.
#[derive(Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    All(Vec<String>),
}

/// Parses the elements of a list in an annotation; `null` is an empty list.
fn parsed<T: FromStr>(list: Option<Several>) -> Option<Vec<T>> {
    list.map_or(Some(Vec::new()), Several::parsed)
}

impl Several {
    fn parsed<T: FromStr>(self) -> Option<Vec<T>> {
        let all = match self {
            Self::One(one) => one.split(',').map(str::to_owned).collect(),
            Self::All(all) => all,
        };
        all.iter().map(|text| text.trim().parse().ok()).collect()
    }
}

/// Parses `{"ipv4": …, "ipv6": …}`.
fn both(text: &str) -> Option<Vec<IpNet>> {
    let both: BTreeMap<String, Option<String>> = serde_json::from_str(text).ok()?;
    both.values().flatten().filter(|text| !text.is_empty()).map(|text| text.parse().ok()).collect()
}

/// An interface that Multus attached.
#[derive(Deserialize)]
struct Attached {
    name: String,
    #[serde(default)]
    interface: String,
    #[serde(default)]
    ips: Vec<String>,
    #[serde(default)]
    mac: String,
    #[serde(default)]
    default: bool,
}

fn lines(all: impl IntoIterator<Item = impl fmt::Display>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("\n")
}

fn joined<T: fmt::Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(T::to_string).collect();
    if all.is_empty() { "none".into() } else { all.join(",") }
}

/// Prints `eth0 ovn-kubernetes 10.244.0.6 0a:58:0a:f4:00:06 (default)`.
impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, interface, ips, mac, default } = self;
        write!(f, "{interface} {name} {} {mac}{}", joined(ips), if *default { " (default)" } else { "" })
    }
}

/// Prints `shared, br-ex (br-ex_ovn-worker) 172.18.0.3/16, next hop 172.18.0.1, mac …, node ports enabled`.
impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = if self.mode.is_empty() { "no gateway".to_owned() } else { self.mode.clone() };
        match (self.bridge_id.as_str(), self.interface_id.as_str()) {
            ("", "") => {}
            ("", interface) => _ = write!(text, ", {interface}"),
            (bridge, interface) => _ = write!(text, ", {bridge} ({interface})"),
        }
        if !self.ip_addresses.is_empty() {
            _ = write!(text, " {}", joined(&self.ip_addresses));
        }
        if !self.next_hops.is_empty() {
            _ = write!(text, ", next hop {}", joined(&self.next_hops));
        }
        if !self.mac_address.is_empty() {
            _ = write!(text, ", mac {}", self.mac_address);
        }
        if !["", "0"].contains(&self.vlan_id.as_str()) {
            _ = write!(text, ", vlan {}", self.vlan_id);
        }
        if self.node_port_enable == "true" {
            text += ", node ports enabled";
        }
        f.write_str(&text)
    }
}

/// Prints `default: 10.244.0.6/24 0a:58:0a:f4:00:06 primary, gateway 10.244.0.1, routes 10.96.0.0/16 via 10.244.0.1`.
impl fmt::Display for PodNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, ip_addresses, mac_address, gateway_ips, routes, role, tunnel_id } = self;
        write!(f, "{network}: {} {mac_address}", joined(ip_addresses))?;
        if !role.is_empty() {
            write!(f, " {role}")?;
        }
        if !gateway_ips.is_empty() {
            write!(f, ", gateway {}", joined(gateway_ips))?;
        }
        if let Some(key) = tunnel_id {
            write!(f, ", tunnel key {key}")?;
        }
        // Many routes use the same gateway.
        let mut by_hop: Vec<(&str, Vec<&IpNet>)> = Vec::new();
        for PodRoute { dest, next_hop } in routes {
            match by_hop.iter_mut().find(|(hop, _)| hop == next_hop) {
                Some((_, all)) => all.push(dest),
                None => by_hop.push((next_hop, vec![dest])),
            }
        }
        for (hop, dests) in by_hop {
            let via = if hop.is_empty() { "on the link".into() } else { format!("via {hop}") };
            write!(f, ", routes {} {via}", joined(&dests))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
