//! Reads nodes and the pods of OVN-Kubernetes from their objects.

use crate::pods::{Pod, items, objects, objects_of, text};
use jiff::Timestamp;
use mcp_core::{ClusterReader, ToolError};
use ovn_model::annotations::{DEFAULT_NETWORK, Gateway, NodeAnnotations};
use ovsdb::Row;
use serde_json::Value;
use std::{collections::BTreeSet, net::IpAddr};

/// The namespaces in which OVN-Kubernetes runs: upstream, then OpenShift and MicroShift.
const NAMESPACES: [&str; 2] = ["ovn-kubernetes", "openshift-ovn-kubernetes"];

/// The data of a Node object.
#[derive(Clone, Debug)]
pub(crate) struct KnownNode {
    pub(crate) name: String,
    /// `Ready` or `NotReady: reason`.
    pub(crate) state: String,
    pub(crate) kubelet: String,
    pub(crate) addresses: Vec<String>,
    /// `linux` or `windows`. Empty if the node has no such label.
    os: String,
    pub(crate) annotations: NodeAnnotations,
}

/// The namespace of OVN-Kubernetes and its pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    pub(crate) namespace: String,
    pub(crate) pods: Vec<Pod>,
    /// Whether `pods` holds all pods of the namespace.
    is_whole: bool,
    /// The network of an OpenShift cluster that does not run OVN-Kubernetes: `OpenShiftSDN`.
    pub(crate) other_network: Option<String>,
    /// The time of the data.
    pub(crate) as_of: Option<Timestamp>,
}

impl KnownNode {
    /// Reads all nodes. The list is empty if the source has no Node objects.
    pub(crate) async fn all(cluster: &ClusterReader<'_>) -> Result<Vec<Self>, ToolError> {
        Ok(objects(cluster, "nodes").await?.iter().map(Self::of).collect())
    }

    pub(crate) fn of(node: &Value) -> Self {
        let ready = items(node, "/status/conditions").find(|condition| text(condition, "/type") == "Ready");
        let state = match ready {
            Some(ready) if text(ready, "/status") == "True" => "Ready".into(),
            Some(ready) if text(ready, "/message").is_empty() => "NotReady".into(),
            Some(ready) => format!("NotReady: {}", text(ready, "/message")),
            None => "NotReady: no condition Ready".to_owned(),
        };
        let unschedulable = node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
        let addresses = items(node, "/status/addresses").filter(|a| text(a, "/type").ends_with("IP"));
        Self {
            name: text(node, "/metadata/name").into(),
            state: if unschedulable { format!("{state}, cordoned") } else { state },
            kubelet: text(node, "/status/nodeInfo/kubeletVersion").into(),
            addresses: addresses.map(|address| text(address, "/address").to_owned()).collect(),
            os: text(node, "/metadata/labels/kubernetes.io~1os").into(),
            annotations: NodeAnnotations::of(node),
        }
    }

    /// Returns the zone of the node. Without an annotation, it is a zone with the name of the node.
    pub(crate) fn zone(&self) -> &str {
        self.annotations.zone.as_deref().unwrap_or(&self.name)
    }

    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.annotations.gateways.get(DEFAULT_NETWORK)
    }

    /// Returns the subnets of the node on the default network.
    pub(crate) fn subnets(&self) -> String {
        joined(self.annotations.subnets.get(DEFAULT_NETWORK).into_iter().flatten())
    }

    /// Returns the encapsulation addresses that are not addresses of the host, to which tunnel packets do not arrive.
    /// The list is empty if not all addresses of the host are known.
    pub(crate) fn foreign<'a>(&'a self, ends: &'a str) -> Vec<&'a str> {
        let hosts = &self.annotations.host_cidrs;
        let nets = || hosts.iter().chain(&self.annotations.primary);
        let is_own = |end: &IpAddr| {
            nets().any(|net| net.addr() == *end) || self.addresses.iter().any(|own| own.parse() == Ok(*end))
        };
        let ends = ends.split(',').filter(|end| end.parse().is_ok_and(|end| !is_own(&end)));
        ends.filter(|_| !hosts.is_empty()).collect()
    }

    /// Returns the encapsulation addresses in the annotation.
    pub(crate) fn given_encap_ips(&self) -> String {
        joined(&self.annotations.encap_ips)
    }

    /// Returns the encapsulation addresses: those in the annotation, or the addresses of the node if there is none.
    pub(crate) fn encap_ips(&self) -> String {
        match self.annotations.encap_ips.as_slice() {
            [] => self.addresses.join(","),
            all => joined(all),
        }
    }
}

/// Returns the subnets of a node's switch in the form of the node's annotation. For IPv6, OVN stores only the first
/// address of a /64.
pub(crate) fn subnets_of_switch(switch: &Row) -> String {
    let of = |key| switch.map_get("other_config", key);
    let prefix = of("ipv6_prefix").map(|prefix| format!("{prefix}/64"));
    of("subnet").map(str::to_owned).into_iter().chain(prefix).collect::<Vec<_>>().join(",")
}

/// Formats a difference for an answer. It is uncertain, and not a finding, if a file is damaged: the file may hold less
/// than the cluster has.
pub(crate) fn finding_line(cluster: &ClusterReader<'_>, finding: &str) -> String {
    match cluster.damaged().as_slice() {
        [] => format!("FINDING: {finding}"),
        damaged => format!("uncertain, because {} could not be read completely: {finding}", some(damaged)),
    }
}

/// The maximum number of names of a list that are shown.
const NAMES: usize = 12;

/// Returns the first names of a list, and the number of the others.
pub(crate) fn some<T: ToString>(names: &[T]) -> String {
    let shown = names.iter().take(NAMES).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Checks whether two lists with commas have the same members.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let members = |list: &str| list.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
    members(a) == members(b)
}

/// Joins items with commas. Returns `none` for an empty list.
pub(crate) fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    if all.is_empty() { "none".into() } else { all.join(",") }
}

impl Deployment {
    /// Reads the pods of the first known namespace that has pods.
    pub(crate) async fn read(cluster: &ClusterReader<'_>) -> Result<Self, ToolError> {
        let mut all = Self { other_network: other_network(cluster).await, ..Self::default() };
        for namespace in NAMESPACES {
            let pods = objects_of(cluster, "pods", Some(namespace)).await?;
            if !pods.is_empty() {
                all.namespace = namespace.into();
                (all.pods, all.is_whole) = (pods.iter().map(Pod::of).collect(), pods.is_whole());
                break;
            }
        }
        all.as_of = cluster.as_of();
        Ok(all)
    }

    /// Checks whether a node lacks its ovnkube-node pod. Returns false if not all pods were collected.
    pub(crate) fn lacks_pod(&self, node: &KnownNode) -> bool {
        // A pod that was collected without its node and phase may run on this node.
        let may_be_here = |pod: &Pod| pod.node == node.name || (pod.node.is_empty() && pod.phase.is_empty());
        let is_there =
            || self.pods.iter().any(|pod| pod.name.starts_with("ovnkube-node") && may_be_here(pod));
        self.is_whole && self.other_network.is_none() && node.os != "windows" && !is_there()
    }

    /// Returns the problems of a pod at the time of the data.
    pub(crate) fn troubles(&self, pod: &Pod) -> Vec<String> {
        pod.troubles(self.as_of)
    }

    /// Returns the OVN-Kubernetes pods of a node.
    pub(crate) fn on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |pod| pod.node == node && is_per_node(pod))
    }

    /// Returns the OVN-Kubernetes pods that serve the whole cluster.
    pub(crate) fn control_plane(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| !is_per_node(pod))
    }

    /// Returns the image of OVN-Kubernetes, which is the image of the container that writes the northbound database.
    pub(crate) fn image(&self) -> Option<&str> {
        let containers = || self.pods.iter().flat_map(|pod| &pod.containers);
        let named = |name: &str| containers().find(|container| container.name == name);
        let container =
            ["ovnkube-controller", "ovnkube-node", "ovnkube-master"].iter().find_map(|name| named(name));
        container.map(|container| container.image.as_str())
    }
}

/// Returns the network type of an OpenShift cluster that does not use OVN-Kubernetes. Errors are ignored, because a
/// user without the right to read the Network object can still read the rest.
async fn other_network(cluster: &ClusterReader<'_>) -> Option<String> {
    let all = objects(cluster, "networks.config.openshift.io").await.ok()?;
    let network = all.first()?;
    let kind = [text(network, "/status/networkType"), text(network, "/spec/networkType")];
    let kind = kind.into_iter().find(|kind| !kind.is_empty())?;
    (!kind.eq_ignore_ascii_case("OVNKubernetes")).then(|| kind.to_owned())
}

/// Checks whether a pod belongs to a daemon set: ovnkube-node, ovs-node, ovn-ipsec or ovnkube-master.
fn is_per_node(pod: &Pod) -> bool {
    ["ovnkube-node", "ovs-node", "ovn-ipsec", "ovnkube-master"].iter().any(|name| pod.name.starts_with(name))
}
