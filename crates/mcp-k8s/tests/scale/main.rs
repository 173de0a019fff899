//! A cluster of 300 nodes and a fifth of the pods that the bench has: every answer is bounded, says how much there is, and
//! can be read on.

mod bundle;

use mcp_core::{
    Bundle,
    testing::{Connection, Failed},
};
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

#[tokio::test]
async fn every_answer_about_a_large_cluster_is_bounded() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    bundle::write(folder.path(), NODES, PODS)?;
    let connection =
        Connection::open(mcp_k8s::layer(), Arc::new(Bundle::new(vec![folder.path().to_owned()]))).await?;
    let nodes = ask(&connection, "kubectl_get", json!({ "kind": "nodes" })).await?;
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), NODES);
    let pods = ask(&connection, "kubectl_get", json!({ "kind": "pods" })).await?;
    assert!(pods.contains(&format!("of {PODS}; offset=")), "{}", pods.lines().last().unwrap_or_default());
    let on_one =
        ask(&connection, "kubectl_get", json!({ "kind": "pods", "fields": "spec.nodeName=node-007" }))
            .await?;
    assert_eq!(on_one.lines().filter(|line| line.starts_with("tenant-")).count(), PODS.div_ceil(NODES));
    let last =
        ask(&connection, "kubectl_get", json!({ "kind": "pods", "offset": PODS - 1, "output": "wide" }))
            .await?;
    assert!(last.contains("web-03999") && last.contains("10.128.2.3"), "{last}");
    let whole = ask(&connection, "kubectl_get", json!({ "kind": "pods", "output": "yaml" })).await?;
    assert!(whole.starts_with("error: pods are 4000 objects, of which 50 at most"), "{whole:.300}");
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
        unknown.contains("no pod is named `web-99999`") && unknown.contains("and 3980 more"),
        "{unknown:.300}"
    );
    Ok(())
}
