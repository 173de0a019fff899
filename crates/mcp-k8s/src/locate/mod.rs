//! From a name or an address to everything that the other layers need.
//!
//! Kubernetes' objects, OVN-Kubernetes' annotations on them, and the databases of the node in question are put side by
//! side. Where they do not agree, that is a finding.

mod address;
mod balancers;
mod pod;
mod ports;
mod search;
mod service;

use crate::{
    nodes::{Deployment, KnownNode, joined},
    pods::{objects, objects_of, selected, text},
};
use mcp_core::{Answer, Cluster, NodeName, ObjectQuery, PodRef, Row, ToolError};
use serde_json::Value;
use std::net::IpAddr;

/// What was asked for.
enum Asked {
    Address(IpAddr),
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
            Asked::Mac(mac) => locator.mac(&mac).await?,
            Asked::Named(namespace, name) => locator.named(namespace.as_deref(), &name).await?,
        }
        if locator.nodes.is_empty() {
            locator.notes.push(
                "this source has no objects of nodes: annotations cannot be compared with databases".into(),
            );
        }
        let findings = locator.findings.iter().map(|finding| format!("FINDING: {finding}"));
        let rows = findings.chain(locator.lines.iter().cloned()).map(Row::line).collect();
        Ok(Answer {
            rows,
            if_empty: format!("{what} is nowhere in what was read"),
            notes: locator.notes,
            facts: Vec::new(),
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
            self.service(service, &services_slices(self.cluster, service).await?).await;
        }
        if node.is_some() || !pods_found.is_empty() || !services_found.is_empty() {
            return Ok(());
        }
        // The databases know the pod's port and the service's load balancers where objects were not collected, or are gone.
        if let Some(namespace) = namespace {
            let full = format!("{namespace}/{name}");
            if let Ok(pod) = full.parse::<PodRef>()
                && self.pod_in_databases(&pod, &pods).await
            {
                return Ok(());
            }
            let gone = self.has_all_objects() || !services.is_empty();
            if self.service_in_databases(&full, gone).await {
                return Ok(());
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
            pods.iter().chain(&services).map(full).chain(self.readable.iter().map(ToString::to_string));
        let name =
            namespace.map(|namespace| format!("{namespace}/{name}")).unwrap_or_else(|| name.to_owned());
        Err(ToolError::not_found("pod, service or node", name, known.collect::<Vec<_>>()))
    }

    /// What a node is, and where its parts run.
    async fn node(&mut self, name: &str) {
        let known = self.nodes.iter().find(|node| node.name == name).cloned();
        let Some(node) = known else {
            self.lines.push(format!("node {name}: it has no object in this source"));
            return self.own_tables(name, None).await;
        };
        let annotations = &node.annotations;
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
            let own = pod.containers.iter().filter(|container| !container.init);
            let names = own.map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ");
            let troubles = match pod.troubles().as_slice() {
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

    /// Is what has no object not there? A live cluster says so; a node that is asked for itself alone has no objects.
    fn has_all_objects(&self) -> bool {
        self.cluster.is_live() && !self.nodes.is_empty()
    }

    /// Can its databases be asked?
    fn is_readable(&self, node: &str) -> bool {
        self.readable.iter().any(|name| name.as_str() == node)
    }
}

/// The endpoint slices of a service.
async fn services_slices(cluster: &Cluster<'_>, service: &Value) -> Result<Vec<Value>, ToolError> {
    let labels = format!("kubernetes.io/service-name={}", text(service, "/metadata/name"));
    let query = ObjectQuery {
        namespace: text(service, "/metadata/namespace").parse().ok(),
        labels: labels.parse().map_err(|e| {
            ToolError::bad(
                format!("endpoint slices cannot be selected: {e}"),
                "kubectl_describe shows the service.",
            )
        })?,
        ..ObjectQuery::default()
    };
    selected(cluster, "endpointslices.discovery.k8s.io", query).await
}
