//! From what a model says to the nodes that are asked.

use crate::{
    Backend, ClusterError, Db, Kind, NodeName, ObjectQuery, PodRef, ReadError, Target, ToolError,
    params::Nodes,
    tool::{AT_ONCE, SLACK},
};
use futures::{StreamExt, stream};
use ovsdb::{Condition, Select};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What a call is about.
pub(crate) struct Asked {
    /// At least one.
    pub(crate) nodes: Vec<NodeName>,
    /// The other nodes of the source.
    pub(crate) others: Vec<NodeName>,
    /// The pod by which the node was named.
    pub(crate) pod: Option<PodRef>,
}

/// The nodes that a call is about.
pub(crate) async fn nodes(backend: &dyn Backend, nodes: Nodes, within: Duration) -> Result<Asked, ToolError> {
    let until = Instant::now() + within;
    let known = listed(backend, within).await?;
    let of_nodes = |nodes: Vec<NodeName>| Asked {
        others: known.iter().filter(|node| !nodes.contains(node)).cloned().collect(),
        nodes,
        pod: None,
    };
    match nodes {
        Nodes::All if known.is_empty() => {
            Err(ToolError::not_found("node", "all", known.iter().map(NodeName::as_str)))
        }
        Nodes::All => Ok(of_nodes(known.clone())),
        Nodes::Unnamed(pod) => match (known.as_slice(), pod) {
            ([only], _) => Ok(of_nodes(vec![only.clone()])),
            (_, Some(pod)) => Ok(of_nodes(vec![node_of(backend, &known, &pod, until).await?])),
            (known, None) => Err(ToolError::bad("parameter `node_name` is missing", which(known))),
        },
        Nodes::Named(names) => match names.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(unknown(name, &known)),
            None => Ok(of_nodes(names)),
        },
        Nodes::OfPod(pod, given) => {
            let node = node_of(backend, &known, &pod, until).await?;
            match given {
                Some(given) if given != node => Err(ToolError::bad(
                    format!("pod {pod} is on {node}, not on {given}"),
                    "Give either pod or node_name.",
                )),
                _ => Ok(Asked { pod: Some(pod), ..of_nodes(vec![node]) }),
            }
        }
    }
}

/// The node where a pod is, within the time of a call.
pub(crate) async fn node_of_pod(
    backend: &dyn Backend,
    pod: &PodRef,
    within: Duration,
) -> Result<NodeName, ToolError> {
    let until = Instant::now() + within;
    let known = listed(backend, within).await?;
    node_of(backend, &known, pod, until).await
}

/// The nodes that can be read, within the time of a call.
pub(crate) async fn listed(backend: &dyn Backend, within: Duration) -> Result<Vec<NodeName>, ReadError> {
    let late = |_| ReadError::TooLate { what: "list nodes".into(), seconds: within.as_secs() };
    tokio::time::timeout(within, backend.nodes()).await.map_err(late)?
}

/// How to say which node is meant.
fn which(known: &[NodeName]) -> String {
    /// More names help nobody.
    const NAMES: usize = 10;
    let names: Vec<&str> = known.iter().take(NAMES).map(NodeName::as_str).collect();
    let more = if known.len() > NAMES { ", …" } else { "" };
    format!(
        "Data belongs to a node: give node_name (one, several separated by commas, or `all`) or pod. The nodes are: {}{more}.",
        names.join(", ")
    )
}

fn unknown(name: &NodeName, known: &[NodeName]) -> ToolError {
    ToolError::not_found("node", name.as_str(), known.iter().map(NodeName::as_str))
}

/// The node that the pod's object names; of a source without objects, the one that has its port.
async fn node_of(
    backend: &dyn Backend,
    nodes: &[NodeName],
    pod: &PodRef,
    until: Instant,
) -> Result<NodeName, ToolError> {
    let query = ObjectQuery {
        namespace: Some(pod.namespace.clone()),
        name: pod.name.as_str().parse().ok(),
        ..ObjectQuery::all(Kind::pod())
    };
    match backend.objects(&query, left(until)).await {
        Ok(read) => match read.value.first() {
            Some(object) => match object.pointer("/spec/nodeName").and_then(Value::as_str) {
                Some(node) => node.parse().map_err(|e: crate::BadName| {
                    ToolError::bad(format!("pod {pod} is on no usable node: {e}"), "Give node_name instead.")
                }),
                None => Err(ToolError::bad(
                    format!("pod {pod} is on no node yet: it was not scheduled"),
                    "Its events say why: ask mcp-k8s for them.",
                )),
            },
            None if backend.is_live() => Err(ToolError::bad(
                format!("there is no pod {pod}"),
                "Look for it in its namespace with mcp-k8s; a pod that was replaced has another name.",
            )),
            // It may be gone from the objects, and still have its port.
            None => node_of_port(backend, nodes, pod, until).await,
        },
        // None for us: a pod that has no port either is not one that does not exist.
        Err(e @ ReadError::Cluster(ClusterError::Forbidden { .. })) => {
            node_of_port(backend, nodes, pod, until).await.map_err(|_| ToolError::Read(e))
        }
        // No objects.
        Err(ReadError::NotHeld { .. } | ReadError::NotCollected { .. }) => {
            node_of_port(backend, nodes, pod, until).await
        }
        // A server that is slow, or gone, would not be better for a question to each of its nodes.
        Err(e) => Err(ToolError::Read(e)),
    }
}

/// What is left of the time of a call.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// The node whose zone has the pod's logical switch port as its own. OVN-Kubernetes names it
/// `<namespace>_<pod>`; on a layer 2 network the other zones have it too, with type `remote`.
async fn node_of_port(
    backend: &dyn Backend,
    nodes: &[NodeName],
    pod: &PodRef,
    until: Instant,
) -> Result<NodeName, ToolError> {
    let port = format!("{}_{}", pod.namespace, pod.name);
    let select = Select::from("Logical_Switch_Port").columns(["name", "type"]);
    let select = &select.filter(Condition::is("name", port.as_str()));
    let ask = |node: &NodeName| {
        let node = node.clone();
        async move {
            let at = Target { node: node.clone(), place: Db::Nb.place(), within: left(until) };
            // A source that tells by itself that it took too long says more of it.
            let rows = backend.rows(&at, Db::Nb, std::slice::from_ref(select));
            let late = |_| ReadError::TooLate {
                what: format!("{} of {node}", Db::Nb),
                seconds: at.within.as_secs(),
            };
            let rows = tokio::time::timeout(at.within + SLACK, rows).await.map_err(late)??;
            let here =
                rows.value.iter().flat_map(|rows| &rows.rows).any(|row| row.text("type") != Some("remote"));
            Ok(here.then_some(node))
        }
    };
    let mut failed = None;
    // The first that has it is enough: no other is waited for.
    let mut asked = stream::iter(nodes).map(ask).buffer_unordered(AT_ONCE);
    while let Some(found) = asked.next().await {
        match found {
            Ok(Some(node)) => return Ok(node),
            Ok(None) => {}
            Err(e) => failed = Some(e),
        }
    }
    // Not found where we could look; where we could not, it may be.
    match failed {
        Some(e) => Err(ToolError::Read(e)),
        None => Err(ToolError::bad(
            format!("no node has a logical switch port {port}, so pod {pod} is not known"),
            "Look for the port in the table Logical_Switch_Port of all nodes; a pod on the host's network has no port.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::Fake;
    use std::sync::atomic::Ordering::Relaxed;

    /// What looking for a pod says, how many databases were asked, and how long it took.
    async fn look(objects: fn() -> ReadError) -> (String, usize, Duration) {
        let fake = Fake { objects: Some(objects), ..Fake::default() };
        let (begin, pod) = (Instant::now(), "shop/web".parse().unwrap());
        let within = Duration::from_millis(300);
        let asked = nodes(&fake, Nodes::OfPod(pod, None), within).await;
        (asked.err().unwrap().report(), fake.asked.load(Relaxed), begin.elapsed())
    }

    #[tokio::test]
    async fn databases_are_asked_for_a_pod_where_there_are_no_objects_and_not_where_the_server_is_in_trouble()
    {
        let (report, asked, _) =
            look(|| ReadError::TooLate { what: "get pods web".into(), seconds: 30 }).await;
        assert!(report.starts_with("error: get pods web took longer than 30 s"), "{report}");
        assert_eq!(asked, 0);
        // One node is silent: it takes no more than the time of the call, and all others are asked.
        let (report, asked, spent) = look(|| ReadError::not_held("pods", "fake")).await;
        assert!(report.starts_with("error: OVN_Northbound of silent took longer than"), "{report}");
        assert_eq!(asked, 102);
        assert!(spent < Duration::from_secs(5), "{spent:?}");
        let forbidden =
            || ReadError::Cluster(ClusterError::Forbidden { what: "get pods web".into(), said: "no".into() });
        let (report, asked, _) = look(forbidden).await;
        assert!(report.starts_with("error: not allowed to get pods web (403): no"), "{report}");
        assert_eq!(asked, 102);
    }
}
