//! From what a model says to the nodes that are asked.

use crate::{Backend, Db, Kind, NodeName, ObjectQuery, PodRef, ReadError, Target, ToolError, params::Nodes};
use futures::future::join_all;
use ovsdb::{Condition, Select};
use serde_json::Value;
use std::time::Duration;

/// What a call is about.
pub(crate) struct Asked {
    /// At least one.
    pub(crate) nodes: Vec<NodeName>,
    /// The pod by which the node was named.
    pub(crate) pod: Option<PodRef>,
}

/// The nodes that a call is about.
pub(crate) async fn nodes(backend: &dyn Backend, nodes: Nodes, within: Duration) -> Result<Asked, ToolError> {
    let of_nodes = |nodes| Asked { nodes, pod: None };
    let known = listed(backend, within).await?;
    match nodes {
        Nodes::All if known.is_empty() => {
            Err(ToolError::not_found("node", "all", known.iter().map(NodeName::as_str)))
        }
        Nodes::All => Ok(of_nodes(known)),
        Nodes::Named(names) => match names.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(unknown(name, &known)),
            None => Ok(of_nodes(names)),
        },
        Nodes::OfPod(pod, given) => {
            let node = node_of(backend, &known, &pod, within).await?;
            match given {
                Some(given) if given != node => Err(ToolError::bad(
                    format!("pod {pod} is on {node}, not on {given}"),
                    "Give either pod or node_name.",
                )),
                _ => Ok(Asked { nodes: vec![node], pod: Some(pod) }),
            }
        }
    }
}

/// The nodes that can be read, within the time of a call.
pub(crate) async fn listed(backend: &dyn Backend, within: Duration) -> Result<Vec<NodeName>, ReadError> {
    let late = |_| ReadError::TooLate { what: "list nodes".into(), seconds: within.as_secs() };
    tokio::time::timeout(within, backend.nodes()).await.map_err(late)?
}

fn unknown(name: &NodeName, known: &[NodeName]) -> ToolError {
    ToolError::not_found("node", name.as_str(), known.iter().map(NodeName::as_str))
}

/// The node that the pod's object names; of a source without objects, the one that has its port.
async fn node_of(
    backend: &dyn Backend,
    nodes: &[NodeName],
    pod: &PodRef,
    within: Duration,
) -> Result<NodeName, ToolError> {
    let query = ObjectQuery {
        namespace: Some(pod.namespace.clone()),
        name: pod.name.as_str().parse().ok(),
        ..ObjectQuery::all(Kind::pod())
    };
    match backend.objects(&query, within).await {
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
            None => node_of_port(backend, nodes, pod, within).await,
        },
        // None for us: a pod that has no port either is not one that does not exist.
        Err(e @ ReadError::Cluster(_)) => {
            node_of_port(backend, nodes, pod, within).await.map_err(|_| ToolError::Read(e))
        }
        // No objects.
        Err(_) => node_of_port(backend, nodes, pod, within).await,
    }
}

/// The node whose zone has the pod's logical switch port as its own. OVN-Kubernetes names it
/// `<namespace>_<pod>`; on a layer 2 network the other zones have it too, with type `remote`.
async fn node_of_port(
    backend: &dyn Backend,
    nodes: &[NodeName],
    pod: &PodRef,
    within: Duration,
) -> Result<NodeName, ToolError> {
    let port = format!("{}_{}", pod.namespace, pod.name);
    let select = Select::from("Logical_Switch_Port").columns(["name", "type"]);
    let select = &select.filter(Condition::is("name", port.as_str()));
    let ask = |node: &NodeName| {
        let node = node.clone();
        async move {
            let at = Target { node: node.clone(), place: Db::Nb.place(), within };
            let rows = backend.rows(&at, Db::Nb, std::slice::from_ref(select)).await?;
            let here =
                rows.value.iter().flat_map(|rows| &rows.rows).any(|row| row.text("type") != Some("remote"));
            Ok(here.then_some(node))
        }
    };
    let mut failed = None;
    for found in join_all(nodes.iter().map(ask)).await {
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
            "Look for the port with ovn_nbctl_list table=Logical_Switch_Port node_name=all grep=<part of the name>; \
             a pod on the host's network has none.",
        )),
    }
}
