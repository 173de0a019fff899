//! From a name or an address to everything that the other layers need.
//!
//! Kubernetes' objects, OVN-Kubernetes' annotations on them, and the databases of the node in question are put side by
//! side. Where they do not agree, that is a finding.

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
    nodes::{Deployment, KnownNode, joined, some, told},
    pods::{Collected, objects, objects_of, selected, text},
};
use mcp_core::{Answer, Cluster, NodeName, ObjectQuery, PodRef, Row, ToolError};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// What was asked for.
enum Asked {
    Address(IpAddr),
    /// Of a service, a node port or a pod.
    Endpoint(SocketAddr),
    /// In lower case.
    Mac(String),
    /// Of a pod or a service; or of a node.
    Named(Option<String>, String),
}

/// What was read of the cluster, and what is to be said.
pub(crate) struct Locator<'a, 'b> {
    cluster: &'a Cluster<'b>,
    nodes: Vec<KnownNode>,
    deployment: Deployment,
    readable: Vec<NodeName>,
    lines: Vec<String>,
    findings: Vec<String>,
    notes: Vec<String>,
}

impl Asked {
    fn of(text: &str) -> Self {
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
    /// Answers.
    pub(crate) async fn locate(cluster: &'a Cluster<'b>, what: &str) -> Result<Answer, ToolError> {
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
        match Asked::of(what) {
            Asked::Address(address) => locator.address(address).await?,
            Asked::Endpoint(endpoint) => locator.endpoint(endpoint).await?,
            Asked::Mac(mac) => locator.mac(&mac).await?,
            Asked::Named(namespace, name) => locator.named(namespace.as_deref(), &name).await?,
        }
        if locator.nodes.is_empty() {
            locator.notes.push(
                "this source has no objects of nodes: annotations cannot be compared with databases".into(),
            );
        }
        let findings = locator.findings.iter().map(|finding| told(cluster, finding));
        let rows = findings.chain(locator.lines.iter().cloned()).map(Row::line).collect();
        Ok(Answer {
            rows,
            if_empty: format!("{what} is nowhere in what was read"),
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
        // The databases know the pod's port and the service's load balancers where objects were not collected, or are gone.
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
        // Of another namespace, if this one has none: it may be written wrong.
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
                "{missing} as far as was read; a pod could be on {unread}, whose northbound database was not"
            ),
            missing.hint(),
        ))
    }

    /// Objects that the answer is true without: where they cannot be read, that is noted.
    async fn read(&mut self, kind: &str, query: ObjectQuery) -> Collected {
        selected(self.cluster, kind, query).await.unwrap_or_else(|e| {
            self.notes.push(e.to_string());
            Collected::NONE
        })
    }

    /// What a node is, and where its parts run.
    async fn node(&mut self, name: &str) {
        let known = self.nodes.iter().find(|node| node.name == name).cloned();
        let Some(node) = known else {
            self.lines.push(format!("node {name}: it has no object in this source"));
            return self.own_tables(name, None).await;
        };
        let annotations = &node.annotations;
        let ends = node.given_encap_ips();
        for end in node.foreign(&ends) {
            self.findings
                .push(format!("encapsulation: {end} in the annotation is no address of node {name}"));
        }
        if self.deployment.lacks_pod(&node) {
            self.findings.push(format!("no pod ovnkube-node runs on node {name}"));
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
        self.machinery(name);
        for (annotation, text) in &annotations.unreadable {
            self.findings.push(format!("{annotation} of node {name} is not understood: {text}"));
        }
        self.own_tables(name, Some(&node)).await;
    }

    /// The pods that make a node's network, with containers to ask and read logs of.
    fn machinery(&mut self, node: &str) {
        for pod in self.deployment.on(node) {
            let names = pod.own().map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ");
            let troubles = match self.deployment.troubles(pod).as_slice() {
                [] => String::new(),
                troubles => format!("; not well: {}", troubles.join("; ")),
            };
            self.lines.push(format!("runs {}/{}: {names}{troubles}", pod.namespace, pod.name));
        }
    }

    /// The zone of a node by its object, or its own name.
    fn zone(&self, node: &str) -> String {
        self.nodes.iter().find(|known| known.name == node).map_or(node, |known| known.zone()).to_owned()
    }

    /// Can its databases be asked?
    fn is_readable(&self, node: &str) -> bool {
        self.readable.iter().any(|name| name.as_str() == node)
    }
}
