//! What OVN-Kubernetes writes down on Kubernetes objects, in annotations `k8s.ovn.org/*`.
//!
//! Cluster manager gives each node its subnets and addresses, ovnkube-node tells of its gateway and chassis, and each
//! pod carries its addresses by network. Names and forms are those of go-controller's `pkg/util/node_annotations.go`
//! and `pod_annotation.go`; older releases wrote one string where newer write a list.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    net::IpAddr,
    str::FromStr,
};

/// What stands before the name of each of them.
const PREFIX: &str = "k8s.ovn.org/";

/// The annotation that pods carry.
pub const POD_NETWORKS: &str = "k8s.ovn.org/pod-networks";

/// The network that is there without being defined.
pub const DEFAULT_NETWORK: &str = "default";

/// What the annotations of a node say. Absent ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAnnotations {
    /// The interconnect zone (`zone-name`). Where it is missing, each node is a zone of its own name.
    pub zone: Option<String>,
    /// The name of its chassis: Open vSwitch's `system-id`.
    pub chassis_id: Option<String>,
    /// The number from which its transit and join addresses are made.
    pub node_id: Option<String>,
    /// Where its pods are, by network.
    pub subnets: BTreeMap<String, Vec<IpNet>>,
    /// Its gateway router, by network.
    pub gateways: BTreeMap<String, Gateway>,
    /// The addresses of the interface that its gateway uses.
    pub primary: Vec<IpNet>,
    /// Its addresses on the transit switch between zones.
    pub transit: Vec<IpNet>,
    /// The addresses of its gateway router on the join switch. Newer releases do not write them: they follow from
    /// [`Self::node_id`].
    pub join: Vec<IpNet>,
    /// All addresses of the host.
    pub host_cidrs: Vec<IpNet>,
    /// Where tunnels to it end; where none is given, at its own address.
    pub encap_ips: Vec<IpAddr>,
    /// The range of the addresses that stand for the host inside OVN, alike on all nodes (`node-masquerade-subnet`).
    pub masquerade: Vec<IpNet>,
    /// Annotations that could not be understood: name and text.
    pub unreadable: Vec<(String, String)>,
}

/// How a node's gateway router reaches the world (`l3-gateway-config`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Gateway {
    /// `shared`, `local`, or empty for a network without gateway.
    pub mode: String,
    /// The bridge: `br-ex`.
    pub bridge_id: String,
    /// The localnet port of the external switch: `br-ex_<node>`.
    pub interface_id: String,
    /// The MAC address of bridge and gateway router.
    pub mac_address: String,
    /// Its addresses.
    #[serde(deserialize_with = "or_default")]
    pub ip_addresses: Vec<IpNet>,
    /// The default gateways of the host.
    #[serde(deserialize_with = "or_default")]
    pub next_hops: Vec<IpAddr>,
    /// `true` where node ports are served.
    pub node_port_enable: String,
    /// The VLAN of the uplink; `0` for none.
    pub vlan_id: String,
}

/// A network of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodNetwork {
    /// `default`, or the `namespace/name` of its NetworkAttachmentDefinition.
    #[serde(skip)]
    pub network: String,
    /// Its addresses; none of a network without address management.
    #[serde(deserialize_with = "or_default")]
    pub ip_addresses: Vec<IpNet>,
    /// Its MAC address.
    #[serde(deserialize_with = "or_default")]
    pub mac_address: String,
    /// Where its default route leads.
    #[serde(deserialize_with = "or_default")]
    pub gateway_ips: Vec<IpAddr>,
    /// Other routes.
    #[serde(deserialize_with = "or_default")]
    pub routes: Vec<PodRoute>,
    /// `primary`, `secondary` or `infrastructure-locked`.
    #[serde(deserialize_with = "or_default")]
    pub role: String,
    /// The tunnel key of its port, where all zones must agree on one: layer 2 networks.
    pub tunnel_id: Option<u32>,
}

/// The networks of a pod, as far as they can be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodNetworks {
    /// Does the pod carry the annotation? One that has the network of its host, or no addresses yet, does not.
    pub is_annotated: bool,
    /// The default network first.
    pub networks: Vec<PodNetwork>,
    /// The texts of those that could not be understood, with their names; the whole text where it has no names.
    pub unreadable: Vec<String>,
}

/// `null` where a value could be: Go writes an empty list so.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// A route of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRoute {
    /// Where to.
    pub dest: IpNet,
    /// Through which gateway; empty for a route on the link.
    #[serde(default)]
    pub next_hop: String,
}

/// The tunnel endpoints of all nodes, by node name, from the Node objects; see [`tunnel_ends`].
pub fn tunnel_ends_of(nodes: &[Value]) -> BTreeMap<String, Vec<IpAddr>> {
    let name = |node: &Value| node.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    nodes.iter().filter_map(|node| Some((name(node)?, tunnel_ends(node)))).collect()
}

/// The addresses at which tunnels to a node may end: those of the annotation `k8s.ovn.org/node-encap-ips`, or else the
/// internal addresses of the Node object. Empty if the object has neither.
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
    /// What a Node object says.
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

/// The networks of a Pod object.
pub fn pod_networks(pod: &Value) -> PodNetworks {
    let annotations = pod.pointer("/metadata/annotations");
    match annotations.and_then(|all| all.get(POD_NETWORKS)).and_then(Value::as_str) {
        None => PodNetworks::default(),
        Some(text) => networks(text),
    }
}

/// Each network is understood by itself: one of an unknown form takes nothing from the others.
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

/// An annotation of OVN-Kubernetes or Multus as an engineer reads it, in one line or several. None: it is somebody
/// else's, or is not understood, and should be shown as it stands.
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
        // What has no form of its own is a list, a map, or a map of either.
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

/// One value or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    All(Vec<String>),
}

/// What a list in an annotation holds; `null` is an empty one.
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

/// `{"ipv4": …, "ipv6": …}`.
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

/// `eth0 ovn-kubernetes 10.244.0.6 0a:58:0a:f4:00:06 (default)`.
impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, interface, ips, mac, default } = self;
        write!(f, "{interface} {name} {} {mac}{}", joined(ips), if *default { " (default)" } else { "" })
    }
}

/// `shared, br-ex (br-ex_ovn-worker) 172.18.0.3/16, next hop 172.18.0.1, mac …, node ports`.
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
            text += ", node ports";
        }
        f.write_str(&text)
    }
}

/// `default: 10.244.0.6/24 0a:58:0a:f4:00:06 primary, gateway 10.244.0.1, routes 10.96.0.0/16 via 10.244.0.1`.
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
        // Many go through one gateway.
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
