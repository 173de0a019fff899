//! The pods of the cluster, as the checks compare them with rows.

use mcp_core::{ClusterReader, ToolError, audit::CollectedKind};
use ovn_model::annotations::{DEFAULT_NETWORK, PodNetwork, pod_networks};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The pods that a source has.
pub(super) struct ClusterPods {
    /// The pods by `namespace/name`.
    pub(super) pods: BTreeMap<String, ClusterPod>,
    /// The objects, which tell where they are complete.
    pub(super) collected: CollectedKind,
}

/// A pod and its addresses.
pub(super) struct ClusterPod {
    pub(super) node: String,
    /// The networks of its annotation.
    pub(super) networks: Vec<PodNetwork>,
    /// Whether the pod has ended and no longer needs its addresses.
    is_finished: bool,
    is_deleted: bool,
}

impl ClusterPods {
    /// Reads all pods.
    pub(super) async fn read(cluster: &ClusterReader<'_>) -> Result<Self, ToolError> {
        let without = &["spec/containers", "spec/initContainers", "spec/volumes", "spec/tolerations"];
        Ok(Self::new(CollectedKind::read(cluster, "pods", without).await?))
    }

    /// Parses Pod objects.
    pub(super) fn new(collected: CollectedKind) -> Self {
        let text = |pod: &Value, pointer: &str| {
            pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let pod = |pod: &Value| {
            let is_finished = ["Succeeded", "Failed"].contains(&text(pod, "/status/phase").as_str());
            let entry = ClusterPod {
                node: text(pod, "/spec/nodeName"),
                networks: pod_networks(pod).networks,
                is_finished,
                is_deleted: pod.pointer("/metadata/deletionTimestamp").is_some(),
            };
            (format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name")), entry)
        };
        Self { pods: collected.objects.iter().map(pod).collect(), collected }
    }

    /// Whether a pod (`namespace/name`) exists. Returns `None` if it was not collected but may exist.
    pub(super) fn exists(&self, pod: &str) -> Option<bool> {
        let namespace = pod.split('/').next().unwrap_or_default();
        match self.pods.contains_key(pod) {
            true => Some(true),
            false => self.collected.is_whole_in(namespace).then_some(false),
        }
    }

    /// Returns the addresses of the pods that have not finished. A pod that is being deleted still has its own.
    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        let pods = self.pods.values().filter(|pod| !pod.is_finished);
        let networks = pods.flat_map(|pod| &pod.networks);
        networks.flat_map(|network| &network.ip_addresses).map(|ip| ip.addr()).collect()
    }
}

impl ClusterPod {
    /// Whether the pod has neither ended nor begun to be deleted.
    pub(super) fn is_live(&self) -> bool {
        !self.is_finished && !self.is_deleted
    }

    /// Returns the default network, if the annotation has it.
    pub(super) fn default_network(&self) -> Option<&PodNetwork> {
        self.networks.iter().find(|network| network.network == DEFAULT_NETWORK)
    }
}
