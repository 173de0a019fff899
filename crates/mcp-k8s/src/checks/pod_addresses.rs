//! Finds addresses that two pods have, and addresses that OVN-Kubernetes did not assign.

use crate::pods::{DETAILS, items, text};
use mcp_core::{
    ClusterReader, ToolError,
    audit::{Certainty, Check, CheckOutcome, CollectedKind, Finding, Severity},
    counted,
};
use ovn_model::annotations::{PodNetwork, pod_networks};
use serde_json::Value;
use std::{collections::BTreeMap, net::IpAddr};

pub(crate) struct PodAddresses;

impl Check for PodAddresses {
    const ID: &'static str = "pod-addresses";
    const TITLE: &'static str = "Each pod has the addresses of its annotation, and no other pod has them";
    const READS: &'static str = "Pod objects";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let pods = CollectedKind::read(cluster, "pods", DETAILS).await?;
        let pods: Vec<AddressedPod> = pods.objects.iter().filter_map(AddressedPod::new).collect();
        let findings = shared(&pods).chain(pods.iter().filter_map(AddressedPod::unassigned)).collect();
        Ok(CheckOutcome { looked_at: counted(pods.len(), "pod"), findings, ..CheckOutcome::default() })
    }
}

/// A pod that has a network of its own and is neither finished nor being deleted.
struct AddressedPod {
    name: String,
    node: String,
    networks: Vec<PodNetwork>,
    /// The addresses in `status.podIPs`.
    addresses: Vec<IpAddr>,
    /// The virtual machine of the pod. While it migrates, two pods have its addresses.
    machine: String,
}

impl AddressedPod {
    /// Returns the pod if its annotation names its networks.
    fn new(pod: &Value) -> Option<Self> {
        let is_finished = ["Succeeded", "Failed"].contains(&text(pod, "/status/phase"));
        let on_host = pod.pointer("/spec/hostNetwork").and_then(Value::as_bool) == Some(true);
        let is_deleted = pod.pointer("/metadata/deletionTimestamp").is_some();
        let networks = pod_networks(pod);
        // Another check reports pods whose annotation cannot be parsed.
        if is_finished || on_host || is_deleted || !networks.is_annotated || !networks.unreadable.is_empty() {
            return None;
        }
        let ips = items(pod, "/status/podIPs").filter_map(|ip| ip.get("ip")?.as_str()?.parse().ok());
        Some(Self {
            name: format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name")),
            node: text(pod, "/spec/nodeName").to_owned(),
            networks: networks.networks,
            addresses: ips.collect(),
            machine: text(pod, "/metadata/labels/vm.kubevirt.io~1name").to_owned(),
        })
    }

    /// Returns the finding for an address of the status that the annotation lacks.
    fn unassigned(&self) -> Option<Finding> {
        let assigned: Vec<IpAddr> =
            self.networks.iter().flat_map(|it| &it.ip_addresses).map(|ip| ip.addr()).collect();
        let other = self.addresses.iter().find(|ip| !assigned.contains(ip))?;
        let shown: Vec<String> = assigned.iter().map(IpAddr::to_string).collect();
        Some(Finding {
            severity: Severity::Error,
            certainty: Certainty::Certain,
            object: format!("Pod {}", self.name),
            node: self.node.parse().ok(),
            field: "status.podIPs".into(),
            wrong: other.to_string(),
            right: if shown.is_empty() { "an address of the annotation".into() } else { shown.join(" or ") },
            shown_by: format!("ovnkube_locate what={}", self.name),
            refuted_by: "another network plugin gives the pod its addresses".into(),
        })
    }
}

/// Returns a finding for each address of a network that several pods have.
fn shared(pods: &[AddressedPod]) -> impl Iterator<Item = Finding> {
    let mut owners: BTreeMap<(&str, IpAddr), Vec<&AddressedPod>> = BTreeMap::new();
    for pod in pods {
        for network in &pod.networks {
            for ip in &network.ip_addresses {
                owners.entry((&network.network, ip.addr())).or_default().push(pod);
            }
        }
    }
    owners.into_iter().filter_map(|((network, ip), pods)| {
        let [first, others @ ..] = pods.as_slice() else { return None };
        let is_other = |pod: &&&AddressedPod| first.machine.is_empty() || pod.machine != first.machine;
        let other = others.iter().find(is_other)?;
        Some(Finding {
            severity: Severity::Error,
            certainty: Certainty::Certain,
            object: format!("Pod {}", first.name),
            node: first.node.parse().ok(),
            field: format!("address on network {network}"),
            wrong: format!("{ip}, which pod {} on {} also has", other.name, other.node),
            right: "an address of its own".into(),
            shown_by: format!("ovnkube_locate what={ip}"),
            refuted_by: "one of the pods has ended since".into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, ip: &str, status: &str, machine: &str) -> Value {
        let networks = json!({ "default": { "ip_addresses": [format!("{ip}/24")], "mac_address": "0a:58:0a:f4:01:05" } });
        json!({
            "metadata": {
                "namespace": "a", "name": name, "labels": { "vm.kubevirt.io/name": machine },
                "annotations": { "k8s.ovn.org/pod-networks": networks.to_string() },
            },
            "spec": { "nodeName": "n1" },
            "status": { "phase": "Running", "podIPs": [{ "ip": status }] },
        })
    }

    #[test]
    fn a_shared_or_unassigned_address_is_found() {
        let found = |pods: &[Value]| -> Vec<String> {
            let pods: Vec<AddressedPod> = pods.iter().filter_map(AddressedPod::new).collect();
            let all = shared(&pods).chain(pods.iter().filter_map(AddressedPod::unassigned));
            all.map(|it| format!("{}: {}", it.object, it.wrong)).collect()
        };
        let [one, two] = ["10.244.1.5", "10.244.1.6"];
        assert!(found(&[pod("p", one, one, ""), pod("q", two, two, "")]).is_empty());
        assert_eq!(
            found(&[pod("p", one, one, ""), pod("q", one, one, "")]),
            ["Pod a/p: 10.244.1.5, which pod a/q on n1 also has"]
        );
        assert_eq!(found(&[pod("p", one, two, "")]), ["Pod a/p: 10.244.1.6"]);
        // A virtual machine has its address in both pods while it migrates.
        assert!(found(&[pod("p", one, one, "vm"), pod("q", one, one, "vm")]).is_empty());
        let mut finished = pod("q", one, one, "");
        finished["status"]["phase"] = "Succeeded".into();
        assert!(found(&[pod("p", one, one, ""), finished]).is_empty());
    }
}
