//! Finds the nodes that a call names.

use crate::{
    Backend, ClusterError, CommandTarget, Db, NodeName, ObjectKind, ObjectQuery, PodRef, ReadError,
    ToolError,
    params::NodeSelection,
    tool::{AT_ONCE, SLACK},
};
use futures::{StreamExt, stream};
use ovsdb::{Condition, Select};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The nodes of a call.
pub(crate) struct ResolvedNodes {
    /// The nodes to read, at least one.
    pub(crate) nodes: Vec<NodeName>,
    /// The other nodes of the source, which the call does not read.
    pub(crate) others: Vec<NodeName>,
    /// The pod by which the call named the node.
    pub(crate) pod: Option<PodRef>,
}

/// Returns the nodes of a call.
pub(crate) async fn nodes(
    backend: &dyn Backend,
    nodes: NodeSelection,
    within: Duration,
) -> Result<ResolvedNodes, ToolError> {
    let until = Instant::now() + within;
    let known = listed(backend, within).await?;
    let of_nodes = |nodes: Vec<NodeName>| ResolvedNodes {
        others: known.iter().filter(|node| !nodes.contains(node)).cloned().collect(),
        nodes,
        pod: None,
    };
    match nodes {
        NodeSelection::All if known.is_empty() => {
            Err(ToolError::not_found("node", "all", known.iter().map(NodeName::as_str)))
        }
        NodeSelection::All => Ok(of_nodes(known.clone())),
        NodeSelection::Unnamed(pod) => match (known.as_slice(), pod) {
            ([only], _) => Ok(of_nodes(vec![only.clone()])),
            (_, Some(pod)) => Ok(of_nodes(vec![node_of(backend, &known, &pod, until).await?])),
            (known, None) => Err(ToolError::bad("parameter `node_name` is missing", which(known))),
        },
        NodeSelection::Named(names) => match names.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(unknown(name, &known)),
            None => Ok(of_nodes(names)),
        },
        NodeSelection::OfPod(pod, given) => {
            let node = node_of(backend, &known, &pod, until).await?;
            match given {
                Some(given) if given != node => Err(ToolError::bad(
                    format!("pod {pod} is on {node}, not on {given}"),
                    "Pass either pod or node_name, not both.",
                )),
                _ => Ok(ResolvedNodes { pod: Some(pod), ..of_nodes(vec![node]) }),
            }
        }
    }
}

/// Returns the node that a pod runs on, within the time of a call.
pub(crate) async fn node_of_pod(
    backend: &dyn Backend,
    pod: &PodRef,
    within: Duration,
) -> Result<NodeName, ToolError> {
    let until = Instant::now() + within;
    let known = listed(backend, within).await?;
    node_of(backend, &known, pod, until).await
}

/// Returns the nodes that can be read, within the time of a call.
pub(crate) async fn listed(backend: &dyn Backend, within: Duration) -> Result<Vec<NodeName>, ReadError> {
    let late = |_| ReadError::TooLate { what: "listing the nodes".into(), seconds: within.as_secs() };
    tokio::time::timeout(within, backend.nodes()).await.map_err(late)?
}

/// Returns the hint for a call that names no node.
fn which(known: &[NodeName]) -> String {
    /// A longer list of names does not help.
    const NAMES: usize = 10;
    let names: Vec<&str> = known.iter().take(NAMES).map(NodeName::as_str).collect();
    let more = if known.len() > NAMES { ", …" } else { "" };
    format!(
        "Each node has its own data. Pass node_name (one node, several nodes separated by commas, or `all`) or pod. The nodes are: {}{more}.",
        names.join(", ")
    )
}

fn unknown(name: &NodeName, known: &[NodeName]) -> ToolError {
    ToolError::not_found("node", name.as_str(), known.iter().map(NodeName::as_str))
}

/// Returns the node that the pod's object names or, if the source has no objects, the node that has the pod's port.
async fn node_of(
    backend: &dyn Backend,
    nodes: &[NodeName],
    pod: &PodRef,
    until: Instant,
) -> Result<NodeName, ToolError> {
    let query = ObjectQuery {
        namespace: Some(pod.namespace.clone()),
        name: pod.name.as_str().parse().ok(),
        ..ObjectQuery::all(ObjectKind::pod())
    };
    match backend.objects(&query, left(until)).await {
        Ok(read) => match read.value.first() {
            Some(object) => match object.pointer("/spec/nodeName").and_then(Value::as_str) {
                Some(node) => node.parse().map_err(|e: crate::BadName| {
                    ToolError::bad(
                        format!("pod {pod} is on a node with an invalid name: {e}"),
                        "Pass node_name instead.",
                    )
                }),
                None => Err(ToolError::bad(
                    format!("pod {pod} is not on a node: it is not scheduled yet"),
                    "The events of the pod say why; mcp-k8s shows them.",
                )),
            },
            None if backend.is_live() => Err(ToolError::bad(
                format!("pod {pod} does not exist"),
                "List the pods of the namespace with mcp-k8s; the replacement of a pod has another name.",
            )),
            // The pod may be missing among the objects of a bundle but still have its port.
            None => node_of_port(backend, nodes, pod, until).await,
        },
        // The API server hides the pod from us, so finding no port does not mean that the pod does not exist.
        Err(e @ ReadError::Cluster(ClusterError::Forbidden { .. })) => {
            node_of_port(backend, nodes, pod, until).await.map_err(|_| ToolError::Read(e))
        }
        // The source has no objects.
        Err(ReadError::NotHeld { .. } | ReadError::NotCollected { .. }) => {
            node_of_port(backend, nodes, pod, until).await
        }
        // If the API server is slow or unreachable, one question to each of its nodes would make it worse.
        Err(e) => Err(ToolError::Read(e)),
    }
}

/// Returns the rest of a call's time.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// Returns the node whose zone owns the pod's logical switch port. OVN-Kubernetes names the port `<namespace>_<pod>`.
/// On a layer 2 network the other zones have the port too, with the type `remote`.
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
            let at = CommandTarget::new(node.clone(), Db::Nb.place(), left(until));
            // The backend's own timeout has a better error text, so it gets a moment more.
            let rows = backend.rows(&at, Db::Nb, std::slice::from_ref(select));
            let late = |_| ReadError::TooLate {
                what: format!("reading {} of {node}", Db::Nb),
                seconds: at.within.as_secs(),
            };
            let rows = tokio::time::timeout(at.within + SLACK, rows).await.map_err(late)??;
            let here =
                rows.value.iter().flat_map(|rows| &rows.rows).any(|row| row.text("type") != Some("remote"));
            Ok(here.then_some(node))
        }
    };
    let mut failed = None;
    // The first node that owns the port is enough, so the others are not awaited.
    let mut asked = stream::iter(nodes).map(ask).buffer_unordered(AT_ONCE);
    while let Some(found) = asked.next().await {
        match found {
            Ok(Some(node)) => return Ok(node),
            Ok(None) => {}
            Err(e) => failed = Some(e),
        }
    }
    // If a node could not be read, the pod may be on that node.
    match failed {
        Some(e) => Err(ToolError::Read(e)),
        None => Err(ToolError::bad(
            format!("pod {pod} is unknown: no node has a logical switch port {port}"),
            "Search the table Logical_Switch_Port of all nodes for the port. A pod with hostNetwork has no port.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::Fake;
    use std::sync::atomic::Ordering::Relaxed;

    /// Returns the error of looking for a pod, the number of databases that were read, and the elapsed time.
    async fn look(objects: fn() -> ReadError) -> (String, usize, Duration) {
        let fake = Fake { objects: Some(objects), ..Fake::default() };
        let (begin, pod) = (Instant::now(), "shop/web".parse().unwrap());
        let within = Duration::from_millis(300);
        let asked = nodes(&fake, NodeSelection::OfPod(pod, None), within).await;
        (asked.err().unwrap().report(), fake.asked.load(Relaxed), begin.elapsed())
    }

    #[tokio::test]
    async fn databases_are_searched_for_a_pod_if_there_are_no_objects_but_not_if_the_api_server_is_slow() {
        let (report, asked, _) =
            look(|| ReadError::TooLate { what: "get pods web".into(), seconds: 30 }).await;
        assert!(report.starts_with("error: get pods web took longer than 30 s"), "{report}");
        assert_eq!(asked, 0);
        // One node is silent. It takes no more than the time of the call, and all other nodes are read.
        let (report, asked, spent) = look(|| ReadError::not_held("pods", "fake")).await;
        assert!(report.starts_with("error: reading OVN_Northbound of silent took longer than"), "{report}");
        assert_eq!(asked, 102);
        assert!(spent < Duration::from_secs(5), "{spent:?}");
        let forbidden = || {
            let (what, said) = ("get pods web".into(), "no".into());
            ReadError::Cluster(ClusterError::Forbidden { what, said, roles: Vec::new() })
        };
        let (report, asked, _) = look(forbidden).await;
        assert!(report.starts_with("error: not allowed to get pods web (403): no"), "{report}");
        assert_eq!(asked, 102);
    }
}
