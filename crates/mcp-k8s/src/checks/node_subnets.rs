//! Finds nodes without a subnet for their pods.

use mcp_core::{
    ClusterReader, ObjectQuery, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity},
    counted,
};
use ovn_model::annotations::{DEFAULT_NETWORK, NodeAnnotations};
use serde_json::Value;

pub(crate) struct NodeSubnets;

impl Check for NodeSubnets {
    const ID: &'static str = "node-subnets";
    const TITLE: &'static str = "Every node has a subnet of the default network";
    const READS: &'static str = "Node objects";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let nodes = cluster.objects(&ObjectQuery::all(cluster.kind("nodes").await?)).await?;
        Ok(CheckOutcome {
            looked_at: counted(nodes.len(), "node"),
            findings: nodes.iter().filter_map(finding).collect(),
            ..CheckOutcome::default()
        })
    }
}

fn finding(node: &Value) -> Option<Finding> {
    let name = node.pointer("/metadata/name").and_then(Value::as_str)?;
    let annotations = NodeAnnotations::of(node);
    if annotations.subnets.get(DEFAULT_NETWORK).is_some_and(|subnets| !subnets.is_empty()) {
        return None;
    }
    let unreadable = annotations.unreadable.iter().find(|(key, _)| key.ends_with("node-subnets"));
    Some(Finding {
        severity: Severity::Error,
        // A Windows node of a hybrid overlay has its subnet in another annotation.
        certainty: Certainty::Suspicion,
        object: format!("Node {name}"),
        node: name.parse().ok(),
        field: "annotation k8s.ovn.org/node-subnets".into(),
        wrong: unreadable.map_or_else(|| "absent".into(), |(_, text)| format!("`{text}`")),
        right: "a subnet of the default network".into(),
        shown_by: format!("kubectl_describe kind=node name={name}"),
        refuted_by: "the node has just joined, or it belongs to a hybrid overlay and has k8s.ovn.org/hybrid-overlay-node-subnet".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reports_an_absent_or_unreadable_annotation_and_accepts_a_subnet() {
        let node = |annotations: Value| json!({ "metadata": { "name": "n1", "annotations": annotations } });
        let found = |annotations| finding(&node(annotations)).map(|finding| finding.wrong);
        let key = "k8s.ovn.org/node-subnets";
        assert_eq!(found(json!({ key: r#"{"default":["10.244.1.0/24"]}"# })), None);
        assert_eq!(found(json!({})).as_deref(), Some("absent"));
        assert_eq!(found(json!({ key: "10.244" })).as_deref(), Some("`10.244`"));
    }
}
