//! Finds nodes that share what each node must have for itself: subnets, the node id, addresses between the zones.

use crate::pods::text;
use mcp_core::{
    ClusterReader, ToolError,
    audit::{Certainty, Check, CheckOutcome, CollectedKind, Finding, Severity},
    counted,
};
use ovn_model::annotations::NodeAnnotations;

pub(crate) struct NodeIdentities;

impl Check for NodeIdentities {
    const ID: &'static str = "node-identities";
    const TITLE: &'static str = "No two nodes have the same node id, chassis, transit address or pod subnet";
    const READS: &'static str = "Node objects";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let nodes = CollectedKind::read(cluster, "nodes", &[]).await?;
        let nodes: Vec<(&str, NodeAnnotations)> = nodes
            .objects
            .iter()
            .map(|node| (text(node, "/metadata/name"), NodeAnnotations::of(node)))
            .collect();
        Ok(CheckOutcome {
            looked_at: counted(nodes.len(), "node"),
            findings: findings(&nodes),
            ..CheckOutcome::default()
        })
    }
}

fn findings(nodes: &[(&str, NodeAnnotations)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, (name, own)) in nodes.iter().enumerate() {
        for (other, theirs) in nodes.iter().take(at) {
            for (field, value) in shared(own, theirs) {
                found.push(Finding {
                    severity: Severity::Error,
                    certainty: Certainty::Certain,
                    object: format!("Node {name}"),
                    node: name.parse().ok(),
                    field: format!("annotation k8s.ovn.org/{field}"),
                    wrong: format!("{value}, which node {other} also has"),
                    right: "different on each node".into(),
                    shown_by: format!("ovnkube_locate what={name}"),
                    refuted_by: "one of the nodes has just been deleted".into(),
                });
            }
        }
    }
    found
}

/// Returns the annotations in which two nodes must differ and do not, with the value that they share.
fn shared(own: &NodeAnnotations, other: &NodeAnnotations) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for (field, own, other) in
        [("node-id", &own.node_id, &other.node_id), ("node-chassis-id", &own.chassis_id, &other.chassis_id)]
    {
        all.extend(own.as_ref().filter(|_| own == other).map(|value| (field, value.clone())));
    }
    let transit = own.transit.iter().find(|ip| other.transit.iter().any(|it| it.addr() == ip.addr()));
    all.extend(transit.map(|ip| ("node-transit-switch-port-ifaddr", ip.addr().to_string())));
    for (network, subnets) in &own.subnets {
        let theirs = other.subnets.get(network).into_iter().flatten();
        let overlaps =
            |subnet: &&ipnet::IpNet| theirs.clone().any(|it| it.contains(*subnet) || subnet.contains(it));
        let subnet = subnets.iter().find(overlaps);
        all.extend(subnet.map(|subnet| ("node-subnets", format!("{subnet} of network {network}"))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(id: &str, chassis: &str, transit: &str, subnet: &str) -> Value {
        let subnets = json!({ "default": [subnet] }).to_string();
        let transit = json!({ "ipv4": format!("{transit}/16") }).to_string();
        json!({ "metadata": { "annotations": {
            "k8s.ovn.org/node-id": id, "k8s.ovn.org/node-chassis-id": chassis,
            "k8s.ovn.org/node-transit-switch-port-ifaddr": transit, "k8s.ovn.org/node-subnets": subnets,
        } } })
    }

    #[test]
    fn each_shared_value_is_found() {
        let own = node("2", "c2", "100.88.0.2", "10.244.1.0/24");
        let found = |other: Value| -> Vec<String> {
            let all = findings(&[("n1", NodeAnnotations::of(&other)), ("n2", NodeAnnotations::of(&own))]);
            all.into_iter().map(|it| it.wrong).collect()
        };
        assert!(found(node("1", "c1", "100.88.0.1", "10.244.0.0/24")).is_empty());
        assert_eq!(found(node("2", "c1", "100.88.0.1", "10.244.0.0/24")), ["2, which node n1 also has"]);
        assert_eq!(found(node("1", "c2", "100.88.0.1", "10.244.0.0/24")), ["c2, which node n1 also has"]);
        assert_eq!(
            found(node("1", "c1", "100.88.0.2", "10.244.0.0/23")),
            [
                "100.88.0.2, which node n1 also has",
                "10.244.1.0/24 of network default, which node n1 also has"
            ]
        );
        // A node without annotations shares nothing.
        assert!(found(json!({})).is_empty());
    }
}
