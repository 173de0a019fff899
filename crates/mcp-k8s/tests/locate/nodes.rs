//! Tests the findings about nodes.

use crate::changed::{ADDRESS, Changed, OVNKUBE, POD, findings};
use mcp_testing::Failed;
use serde_json::{Value, json};

const NODE: &str = "cluster-scoped-resources/core/nodes/ovn-worker.yaml";

#[tokio::test]
async fn an_encapsulation_address_that_no_node_has_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.edit(NODE, |node| {
        node["metadata"]["annotations"]["k8s.ovn.org/node-encap-ips"] = r#"["172.18.9.9"]"#.into();
    })?;
    assert_eq!(
        capture.findings("ovn-worker").await?,
        [
            "encapsulation: 172.18.9.9 in the annotation is not an address of node ovn-worker",
            "encapsulation in the southbound database: the Node object has 172.18.9.9, but the databases of ovn-worker have 172.18.0.3",
        ]
    );
    let overview = capture.overview().await?;
    assert_eq!(
        findings(&overview),
        [
            "encapsulation 172.18.9.9 in the annotation is not an address of the node",
            "encapsulation is 172.18.9.9 in the Node object and 172.18.0.3 in the database",
        ],
        "{overview}"
    );
    // Without this annotation, the addresses of the host are unknown.
    capture.edit(NODE, |node| {
        node["metadata"]["annotations"]["k8s.ovn.org/host-cidrs"] = Value::Null;
    })?;
    capture.change_southbound(&json!({
        "op": "update", "table": "Encap", "where": [["ip", "==", "172.18.0.3"]], "row": { "ip": "172.18.9.9" }
    }))?;
    assert_eq!(capture.findings("ovn-worker").await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_southbound_encapsulation_address_is_compared_with_the_host() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.edit(NODE, |node| {
        node["metadata"]["annotations"]["k8s.ovn.org/node-encap-ips"] = Value::Null;
    })?;
    assert_eq!(capture.findings("ovn-worker").await?, [""; 0]);
    capture.change_southbound(&json!({
        "op": "update", "table": "Encap", "where": [["ip", "==", "172.18.0.3"]], "row": { "ip": "172.18.9.9" }
    }))?;
    assert_eq!(
        capture.findings("ovn-worker").await?,
        ["encapsulation in the southbound database: 172.18.9.9 is not an address of node ovn-worker"]
    );
    Ok(())
}

#[tokio::test]
async fn a_node_without_its_ovnkube_node_pod_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    assert_eq!(findings(&capture.overview().await?), [""; 0]);
    let list = "namespaces/ovn-kubernetes/core/pods.yaml";
    capture.edit(list, |list| {
        let pods = list["items"].as_array_mut();
        pods.into_iter().for_each(|pods| pods.retain(|pod| pod["metadata"]["name"] != OVNKUBE));
    })?;
    capture.remove(&format!("namespaces/ovn-kubernetes/pods/{OVNKUBE}"))?;
    assert_eq!(findings(&capture.overview().await?), ["no ovnkube-node pod runs on this node"]);
    assert_eq!(capture.findings("ovn-worker").await?, ["no ovnkube-node pod runs on node ovn-worker"]);
    // If pods were collected one by one, a pod that was not collected may exist.
    capture.remove(list)?;
    let overview = capture.overview().await?;
    assert_eq!(findings(&overview), [""; 0], "{overview}");
    assert!(overview.contains("ovnkube-node-mk45n 6/6 ready"), "{overview}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_with_another_network_has_no_ovn_findings() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.add(
        "cluster-scoped-resources/config.openshift.io/networks.yaml",
        &json!({ "apiVersion": "config.openshift.io/v1", "kind": "NetworkList", "items": [{
            "apiVersion": "config.openshift.io/v1", "kind": "Network", "metadata": { "name": "cluster" },
            "spec": { "networkType": "OpenShiftSDN" }, "status": { "networkType": "OpenShiftSDN" }
        }] }),
    )?;
    capture.edit_named("namespaces/shop/core/pods.yaml", "web-", |pod| {
        pod["metadata"]["annotations"] = Value::Null;
    })?;
    let overview = capture.overview().await?;
    assert!(overview.contains("network type: OpenShiftSDN"), "{overview}");
    for not in ["interconnect:", "gateway mode:", "own zone", "FINDING"] {
        assert!(!overview.contains(not), "{not}: {overview}");
    }
    for what in [POD, ADDRESS] {
        let answer = capture.locate(what).await?;
        assert_eq!(findings(&answer), [""; 0], "{answer}");
        assert!(answer.contains("assigned by OpenShiftSDN"), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn one_database_for_all_nodes_is_central_mode() -> Result<(), Failed> {
    let capture = Changed::new()?;
    assert!(capture.overview().await?.contains("interconnect: each of the 3 nodes has its own zone"));
    capture
        .change(&json!({ "op": "insert", "table": "Logical_Switch", "row": { "name": "ovn-worker2" } }))?;
    let overview = capture.overview().await?;
    assert!(
        overview.contains(
            "central mode: one zone for all nodes; the database of ovn-worker has the switches of 2 nodes"
        ),
        "{overview}"
    );
    assert!(!overview.contains("interconnect:") && !overview.contains("own zone"), "{overview}");
    Ok(())
}
