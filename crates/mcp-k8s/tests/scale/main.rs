//! Tests a cluster of 300 nodes and a fifth of the benchmark's pods. Every answer is bounded, gives the total, and can
//! be paged.

mod bundle;

use mcp_core::Bundle;
use mcp_testing::{Capture, Connection, Failed};
use serde_json::{Value, json};
use std::sync::Arc;

const NODES: usize = 300;
const PODS: usize = 4_000;

async fn ask(connection: &Connection, tool: &str, params: Value) -> Result<String, Failed> {
    let params = params.as_object().cloned().unwrap_or_default();
    let text = connection.call(tool, &params).await?.unwrap_or_else(|error| error);
    assert!(text.len() <= 24_000, "{tool} {}: {} bytes", Value::Object(params), text.len());
    Ok(text)
}

/// Opens a server for the generated cluster. The folder must live as long as the server.
async fn large() -> Result<(tempfile::TempDir, Connection), Failed> {
    let capture = Capture::unpack()?;
    let (_, pod) = Capture::NODES[0];
    let like = [std::fs::read(capture.database(pod, "nbdb"))?, std::fs::read(capture.database(pod, "sbdb"))?];
    let folder = tempfile::tempdir()?;
    bundle::write(folder.path(), NODES, PODS, &like)?;
    let source = Arc::new(Bundle::new(vec![folder.path().to_owned()]));
    let connection = Connection::open(mcp_k8s::layer(), source).await?;
    Ok((folder, connection))
}

#[tokio::test]
async fn pods_and_services_are_located_in_three_hundred_zones() -> Result<(), Failed> {
    let (_folder, connection) = large().await?;
    let overview = ask(&connection, "cluster_overview", json!({})).await?;
    for stands_out in [
        "nodes: 300; 298 are Ready",
        "node-017: NotReady",
        "node-200: ovnkube-node-n200x 0/1 ready: ovnkube-controller (waiting: CrashLoopBackOff, restarted 31x)",
        "Kubernetes v1.35.0 on node-099",
    ] {
        assert!(overview.contains(stands_out), "{stands_out}: {overview}");
    }
    let locate = async |what: &str| ask(&connection, "ovnkube_locate", json!({ "what": what })).await;
    let pod = locate("tenant-000/web-00042").await?;
    let port = "port tenant-000_web-00042 on switch node-042, addresses 0a:58:0a:80:2c:03 10.128.44.3; tunnel key 2 of datapath 3, bound to node-042";
    assert!(pod.contains(port) && !pod.contains("FINDING"), "{pod}");
    // The pod's address leads to the same port. The last pod is found, too.
    assert!(locate("10.128.44.3").await?.contains(port));
    let last = bundle::address(PODS - 1, NODES);
    assert!(
        locate(&last).await?.contains(&format!(
            "tenant-039_web-03999 on switch node-099, addresses 0a:58:0a:80:65:10 {last}"
        ))
    );
    // All zones are compared, and the finding names the zone that lacks a backend.
    let service = locate("tenant-000/web").await?;
    let findings: Vec<&str> = service.lines().filter(|line| line.contains("FINDING")).collect();
    assert!(
        matches!(findings.as_slice(), [one] if one.contains("in the zone of node-003: ") && one.contains("10.128.2.3")),
        "{service}"
    );
    assert!(service.contains("the northbound databases of all 300 nodes were searched"), "{service}");
    assert!(!locate("tenant-001/web").await?.contains("FINDING"));
    let node = locate("node-042").await?;
    assert!(node.contains("in the node's databases: zone node-042"), "{node}");
    // No object has this address.
    let nobody = locate("10.128.44.200").await?;
    assert!(nobody.contains("10.128.44.200 is in a subnet of node node-042"), "{nobody}");
    assert!(
        nobody.contains("no pod, service, port or NAT rule in the data that was read has 10.128.44.200"),
        "{nobody}"
    );
    assert!(nobody.contains("the northbound databases of all 300 nodes were searched"), "{nobody}");
    Ok(())
}

#[tokio::test]
async fn every_answer_about_a_large_cluster_is_bounded() -> Result<(), Failed> {
    let (_folder, connection) = large().await?;
    let nodes = ask(&connection, "kubectl_get", json!({ "kind": "nodes" })).await?;
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), NODES - 1);
    let pods = ask(&connection, "kubectl_get", json!({ "kind": "pods" })).await?;
    assert!(
        pods.contains(&format!("of {}; offset=", PODS + NODES)),
        "{}",
        pods.lines().last().unwrap_or_default()
    );
    let on_one =
        ask(&connection, "kubectl_get", json!({ "kind": "pods", "fields": "spec.nodeName=node-007" }))
            .await?;
    assert_eq!(on_one.lines().filter(|line| line.starts_with("tenant-")).count(), PODS.div_ceil(NODES));
    let last = ask(
        &connection,
        "kubectl_get",
        json!({ "kind": "pods", "offset": PODS + NODES - 1, "output": "wide" }),
    )
    .await?;
    assert!(last.contains("web-03999") && last.contains("10.128.101.16"), "{last}");
    let whole = ask(&connection, "kubectl_get", json!({ "kind": "pods", "output": "yaml" })).await?;
    assert!(whole.contains(&format!("of {}; offset=", PODS + NODES)), "{whole:.300}");
    let one = ask(&connection, "kubectl_get", json!({ "kind": "pod/web-02345", "output": "yaml" })).await?;
    assert!(one.contains("nodeName: node-245") && !one.contains("managedFields"), "{one}");
    let described =
        ask(&connection, "kubectl_describe", json!({ "kind": "pod", "name": "tenant-023/web-02340" }))
            .await?;
    assert!(
        described.contains("Running, 1/1 ready") && described.contains("Readiness probe failed"),
        "{described}"
    );
    let events = ask(&connection, "kubectl_events", json!({ "type": "Warning" })).await?;
    assert!(events.contains("of 400; offset=") && events.contains("T08:59:00Z"), "{events:.300}");
    // `limit` keeps the newest.
    let few = ask(&connection, "kubectl_events", json!({ "type": "Warning", "limit": 2 })).await?;
    let times: Vec<&str> = few.lines().filter(|line| line.starts_with("tenant-")).collect();
    assert!(times.len() == 2 && times.iter().all(|line| line.contains("T08:59:00Z")), "{few}");
    let unknown = ask(&connection, "kubectl_get", json!({ "kind": "pod", "name": "web-99999" })).await?;
    assert!(
        unknown.contains("no pod is named `web-99999`") && unknown.contains("and 4280 more"),
        "{unknown:.300}"
    );
    Ok(())
}
