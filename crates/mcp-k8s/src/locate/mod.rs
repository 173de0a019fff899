//! Locates a pod, service, node or address in OVN and returns the names that the tools of other layers need.
//!
//! It compares Kubernetes objects, OVN-Kubernetes annotations and the databases of the node. A difference is a finding.

mod address;
mod balancers;
mod egress;
mod endpoint;
mod masquerade;
mod pod;
mod ports;
mod search;
mod service;

use crate::{
    nodes::{Deployment, KnownNode, finding_line, joined, some},
    pods::{CollectedObjects, objects, objects_of, selected, text},
};
use mcp_core::{Answer, ClusterReader, NodeName, ObjectQuery, PodRef, Row, ToolError};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// The parsed parameter `what`.
enum LocateTarget {
    Address(IpAddr),
    /// An address and port of a service, a node port or a pod.
    Endpoint(SocketAddr),
    /// A MAC address in lower case.
    Mac(String),
    /// Namespace and name of a pod or a service, or the name of a node without a namespace.
    Named(Option<String>, String),
}

/// The data that was read from the cluster, and the parts of the answer.
pub(crate) struct Locator<'a, 'b> {
    cluster: &'a ClusterReader<'b>,
    nodes: Vec<KnownNode>,
    deployment: Deployment,
    readable: Vec<NodeName>,
    lines: Vec<String>,
    findings: Vec<String>,
    notes: Vec<String>,
}

impl LocateTarget {
    fn parse(text: &str) -> Self {
        if let Ok(address) = text.parse() {
            return Self::Address(address);
        }
        if let Ok(endpoint) = text.parse() {
            return Self::Endpoint(endpoint);
        }
        let parts = || text.split([':', '-']);
        if parts().count() == 6
            && parts().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Self::Mac(text.to_lowercase().replace('-', ":"));
        }
        match text.split_once('/') {
            Some((namespace, name)) => Self::Named(Some(namespace.into()), name.into()),
            None => Self::Named(None, text.into()),
        }
    }
}

impl<'a, 'b> Locator<'a, 'b> {
    /// Locates what the parameter `what` names.
    pub(crate) async fn locate(cluster: &'a ClusterReader<'b>, what: &str) -> Result<Answer, ToolError> {
        let what = what.trim();
        let mut locator = Self {
            cluster,
            nodes: KnownNode::all(cluster).await?,
            deployment: Deployment::read(cluster).await?,
            readable: cluster.nodes().await?,
            lines: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
        };
        match LocateTarget::parse(what) {
            LocateTarget::Address(address) => locator.address(address).await?,
            LocateTarget::Endpoint(endpoint) => locator.endpoint(endpoint).await?,
            LocateTarget::Mac(mac) => locator.mac(&mac).await?,
            LocateTarget::Named(namespace, name) => locator.named(namespace.as_deref(), &name).await?,
        }
        if locator.nodes.is_empty() {
            locator.notes.push(
                "this source has no Node objects, so node annotations cannot be compared with databases"
                    .into(),
            );
        }
        let findings = locator.findings.iter().map(|finding| finding_line(cluster, finding));
        let rows = findings.chain(locator.lines.iter().cloned()).map(Row::line).collect();
        Ok(Answer {
            rows,
            if_empty: format!("{what} was not found in the data that was read; it may be external"),
            notes: locator.notes,
            ..Answer::default()
        })
    }

    async fn named(&mut self, namespace: Option<&str>, name: &str) -> Result<(), ToolError> {
        let pods = objects_of(self.cluster, "pods", namespace).await?;
        let services = objects_of(self.cluster, "services", namespace).await?;
        let is = |object: &&Value| {
            text(object, "/metadata/name") == name
                && namespace.is_none_or(|namespace| text(object, "/metadata/namespace") == namespace)
        };
        let (pods_found, services_found): (Vec<_>, Vec<_>) =
            (pods.iter().filter(is).collect(), services.iter().filter(is).collect());
        let node = namespace
            .is_none()
            .then(|| {
                self.readable
                    .iter()
                    .map(NodeName::as_str)
                    .chain(self.nodes.iter().map(|n| n.name.as_str()))
                    .find(|n| *n == name)
                    .map(str::to_owned)
            })
            .flatten();
        if let Some(node) = &node {
            self.node(node).await;
        }
        for pod in &pods_found {
            self.pod(pod).await;
        }
        for service in &services_found {
            self.service(service).await;
        }
        if node.is_some() || !pods_found.is_empty() || !services_found.is_empty() {
            return Ok(());
        }
        // If objects were not collected or no longer exist, the databases can still have the port of the pod or the
        // load balancers of the service.
        let mut unread = Vec::new();
        if let Some(namespace) = namespace {
            let full = format!("{namespace}/{name}");
            if let Ok(pod) = full.parse::<PodRef>() {
                match self.pod_in_databases(&pod).await {
                    Ok(()) => return Ok(()),
                    Err(nodes) => unread = nodes,
                }
            }
            if self.service_in_databases(&full, services.is_whole()).await {
                return Ok(());
            }
            if pods.is_whole() {
                unread.clear();
            }
        }
        // If the namespace has no pods and services, its name may be misspelled, so the error suggests all namespaces.
        let (pods, services) = match pods.is_empty() && services.is_empty() {
            true => (objects(self.cluster, "pods").await?, objects(self.cluster, "services").await?),
            false => (pods, services),
        };
        let full = |object: &Value| {
            format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"))
        };
        let known =
            pods.iter().chain(services.iter()).map(full).chain(self.readable.iter().map(ToString::to_string));
        let name =
            namespace.map(|namespace| format!("{namespace}/{name}")).unwrap_or_else(|| name.to_owned());
        let missing = ToolError::not_found("pod, service or node", name, known.collect::<Vec<_>>());
        if unread.is_empty() {
            return Err(missing);
        }
        let unread = some(&unread);
        Err(ToolError::bad(
            format!(
                "{missing} in the data that was read; a pod could be on {unread}, whose northbound database was not read"
            ),
            missing.hint(),
        ))
    }

    /// Reads optional objects. An error becomes a note, because the rest of the answer is still correct.
    async fn read(&mut self, kind: &str, query: ObjectQuery) -> CollectedObjects {
        selected(self.cluster, kind, query).await.unwrap_or_else(|e| {
            self.notes.push(e.to_string());
            CollectedObjects::NONE
        })
    }

    /// Describes a node: state, zone, addresses, gateway and OVN-Kubernetes pods.
    async fn node(&mut self, name: &str) {
        let known = self.nodes.iter().find(|node| node.name == name).cloned();
        let Some(node) = known else {
            self.lines.push(format!("node {name}: this source does not have its Node object"));
            return self.own_tables(name, None).await;
        };
        let annotations = &node.annotations;
        let ends = node.given_encap_ips();
        for end in node.foreign(&ends) {
            self.findings
                .push(format!("encapsulation: {end} in the annotation is not an address of node {name}"));
        }
        if self.deployment.lacks_pod(&node) {
            self.findings.push(format!("no ovnkube-node pod runs on node {name}"));
        }
        self.lines.push(format!(
            "node {name}: {}, kubelet {}, addresses {}",
            node.state,
            node.kubelet,
            joined(&node.addresses)
        ));
        self.lines.push(format!(
            "zone {}, chassis {}, encapsulation {}, transit {}",
            node.zone(),
            annotations.chassis_id.as_deref().unwrap_or("unknown"),
            node.encap_ips(),
            joined(&annotations.transit)
        ));
        let subnets =
            annotations.subnets.iter().map(|(network, subnets)| format!("{network} {}", joined(subnets)));
        self.lines.push(format!("subnets: {}", subnets.collect::<Vec<_>>().join("; ")));
        if let Some(gateway) = node.gateway() {
            self.lines.push(format!("gateway: {gateway}; router GR_{name}, external switch ext_{name}"));
        }
        self.ovnkube_pods(name);
        for (annotation, text) in &annotations.unreadable {
            self.findings.push(format!("cannot parse annotation {annotation} of node {name}: {text}"));
        }
        self.own_tables(name, Some(&node)).await;
    }

    /// Lists the OVN-Kubernetes pods of a node with their containers.
    fn ovnkube_pods(&mut self, node: &str) {
        for pod in self.deployment.on(node) {
            let names = pod.own().map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ");
            let troubles = match self.deployment.troubles(pod).as_slice() {
                [] => String::new(),
                troubles => format!("; unhealthy: {}", troubles.join("; ")),
            };
            self.lines.push(format!(
                "OVN-Kubernetes pod {}/{}: containers {names}{troubles}",
                pod.namespace, pod.name
            ));
        }
    }

    /// Returns the zone of a node by its object, or the name of the node without an object.
    fn zone(&self, node: &str) -> String {
        self.nodes.iter().find(|known| known.name == node).map_or(node, |known| known.zone()).to_owned()
    }

    /// Checks whether the databases of a node can be read.
    fn is_readable(&self, node: &str) -> bool {
        self.readable.iter().any(|name| name.as_str() == node)
    }
}
