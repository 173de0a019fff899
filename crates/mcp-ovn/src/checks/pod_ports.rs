//! Finds pods without their logical port, ports with other addresses than the pod, and ports of pods that are gone.

use super::cluster_pods::{ClusterPod, ClusterPods};
use futures::StreamExt;
use mcp_core::{
    ClusterReader, Db, NodeName, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity},
    counted,
};
use ovsdb::{Rows, Select};
use std::collections::BTreeMap;

pub(crate) struct PodPorts;

impl Check for PodPorts {
    const ID: &'static str = "pod-ports";
    const TITLE: &'static str =
        "Each pod on the default network has a logical port with its addresses, and each such port has a pod";
    const READS: &'static str = "Pod objects; Logical_Switch_Port of each zone's northbound database";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let pods = ClusterPods::read(cluster).await?;
        let select =
            Select::from("Logical_Switch_Port").columns(["name", "type", "addresses", "external_ids"]);
        let mut outcome = CheckOutcome::default();
        let mut zones = cluster.rows_of(cluster.nodes().await?, Db::Nb, &[select], |rows| ports(&rows));
        let (mut read, mut compared) = (0, 0);
        while let Some((zone, result)) = zones.next().await {
            match result {
                Ok(ports) => {
                    read += 1;
                    compared += ports.len();
                    outcome.findings.extend(findings(&zone, &ports, &pods));
                    let unknown = ports.keys().filter(|pod| pods.exists(pod).is_none()).count();
                    if unknown > 0 {
                        let ports = counted(unknown, "port");
                        outcome
                            .unread
                            .push(format!("{ports} on {zone}: the pods of the namespace were not collected"));
                    }
                }
                Err(e) => outcome.could_not_read(&zone, &e),
            }
        }
        if read > 0 {
            outcome.looked_at = format!("{} in {}", counted(compared, "port"), counted(read, "zone"));
        }
        Ok(outcome)
    }
}

/// Returns the addresses of the ports of pods on the default network, by `namespace/name`.
fn ports(rows: &[Rows]) -> BTreeMap<String, String> {
    let all = rows.iter().flat_map(|rows| &rows.rows);
    let of_pods = all.filter_map(|row| {
        let id = |key| row.map_get("external_ids", key);
        // Ports of other networks name their NetworkAttachmentDefinition.
        if id("pod") != Some("true") || id("k8s.ovn.org/nad").is_some_and(|nad| nad != "default") {
            return None;
        }
        if row.text("type").is_some_and(|kind| !kind.is_empty()) {
            return None;
        }
        let namespace = id("namespace")?;
        let pod = row.text("name")?.strip_prefix(namespace)?.strip_prefix('_')?;
        let addresses = row.strings("addresses").collect::<Vec<_>>().join(" ");
        Some((format!("{namespace}/{pod}"), addresses))
    });
    of_pods.collect()
}

fn findings(zone: &NodeName, ports: &BTreeMap<String, String>, pods: &ClusterPods) -> Vec<Finding> {
    let found = |severity, certainty, pod: &str, wrong: String, right: String, refuted_by: &str| Finding {
        severity,
        certainty,
        object: format!("Pod {pod}"),
        node: Some(zone.clone()),
        field: "Logical_Switch_Port".into(),
        wrong,
        right,
        shown_by: format!(
            "ovn_nbctl_list table=Logical_Switch_Port record={} node_name={zone}",
            pod.replacen('/', "_", 1)
        ),
        refuted_by: refuted_by.into(),
    };
    let mut all = Vec::new();
    let expected = pods.pods.iter().filter(|(_, pod)| pod.node == zone.as_str() && pod.is_live());
    for (name, pod) in expected.filter(|(_, pod)| pod.default_network().is_some()) {
        if !ports.contains_key(name) {
            let refuted_by = "the pod was created after the database was read";
            let right = addresses(pod);
            all.push(found(Severity::Error, Certainty::Suspicion, name, "absent".into(), right, refuted_by));
        }
    }
    for (name, given) in ports {
        match pods.pods.get(name) {
            Some(pod) => {
                let right = addresses(pod);
                let same = |a: &str, b: &str| {
                    let sorted = |text: &str| {
                        let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
                        words.sort();
                        words
                    };
                    sorted(a) == sorted(b)
                };
                if pod.is_live() && !right.is_empty() && !same(given, &right) {
                    let refuted_by = "the pod was replaced by one of the same name between the two reads";
                    let wrong = format!("`{given}`");
                    all.push(found(Severity::Error, Certainty::Certain, name, wrong, right, refuted_by));
                }
            }
            None if pods.exists(name) == Some(false) => {
                let refuted_by = "the pod was deleted after the database was read";
                let wrong = format!("left with `{given}`");
                let right = "absent, because no such pod exists".into();
                all.push(found(Severity::Warning, Certainty::Suspicion, name, wrong, right, refuted_by));
            }
            None => {}
        }
    }
    all
}

/// Returns the addresses that the port of a pod must have. Empty if the annotation does not name them.
fn addresses(pod: &ClusterPod) -> String {
    let Some(network) = pod.default_network() else { return String::new() };
    let ips = network.ip_addresses.iter().map(|ip| ip.addr().to_string());
    std::iter::once(network.mac_address.clone()).chain(ips).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_core::audit::CollectedKind;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn pod(name: &str, phase: &str) -> Value {
        let network =
            json!({ "default": { "ip_addresses": ["10.244.1.5/24"], "mac_address": "0a:58:0a:f4:01:05" } });
        json!({
            "metadata": {
                "namespace": "a", "name": name, "annotations": { "k8s.ovn.org/pod-networks": network.to_string() },
            },
            "spec": { "nodeName": "n1" }, "status": { "phase": phase },
        })
    }

    #[test]
    fn missing_wrong_and_left_ports_are_found() {
        let found = |ports: &[(&str, &str)], pods: &[Value], is_whole: bool| -> Vec<String> {
            let whole = (!is_whole).then(BTreeSet::new);
            let pods = ClusterPods::new(CollectedKind::new(pods.to_vec(), whole));
            let ports = ports.iter().map(|(pod, text)| ((*pod).to_owned(), (*text).to_owned())).collect();
            let all = findings(&"n1".parse().unwrap(), &ports, &pods);
            all.into_iter().map(|it| format!("{}: {}", it.object, it.wrong)).collect()
        };
        let running = [pod("p", "Running")];
        assert!(found(&[("a/p", "0A:58:0a:f4:01:05 10.244.1.5")], &running, true).is_empty());
        assert_eq!(found(&[], &running, true), ["Pod a/p: absent"]);
        assert!(found(&[], &[pod("p", "Succeeded")], true).is_empty());
        let other = [("a/p", "0a:58:0a:f4:01:05 10.244.1.6")];
        assert_eq!(found(&other, &running, true), ["Pod a/p: `0a:58:0a:f4:01:05 10.244.1.6`"]);
        assert_eq!(found(&other, &[], true), ["Pod a/p: left with `0a:58:0a:f4:01:05 10.244.1.6`"]);
        assert!(found(&other, &[], false).is_empty());
    }
}
