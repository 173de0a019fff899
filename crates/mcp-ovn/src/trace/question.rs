//! The packet to trace, from names or from a microflow expression.

use crate::flows;
use mcp_core::{Db, Node, ToolError, argv::OvnExpression};
use ovn_model::lflow::Datapaths;
use ovn_path::{EndpointNames, Ports, ZoneReader};
use ovsdb::{Rows, Schema, Select, Uuid};
use std::sync::Arc;

/// The packet to trace and the datapath where it starts.
pub(crate) struct Question {
    pub(crate) datapath: Uuid,
    pub(crate) microflow: OvnExpression,
}

/// Builds the packet from a microflow expression.
pub(crate) async fn written(
    node: &Node<'_>,
    datapath: Option<&str>,
    text: &str,
) -> Result<Question, ToolError> {
    let microflow = OvnExpression::parse(text).map_err(|e| {
        let hint = "Write it like: inport==\"ns_pod\" && eth.src==… && eth.dst==… && ip4.src==… && ip4.dst==… && ip.ttl==64 && tcp && tcp.dst==80; or pass from, to and port.";
        ToolError::bad(format!("parameter `microflow`: {e}"), hint)
    })?;
    let found = match datapath {
        Some(name) => {
            let datapaths = flows::datapaths(node).await?;
            Some((of_name(&datapaths, name)?, name))
        }
        None => None,
    };
    let read = flows::rows(node, &[Ports::select()]).await?;
    let ports = read.first().map(Ports::new).unwrap_or_default();
    let is_here = |port: &&ovn_path::Port| found.is_none_or(|(uuid, _)| port.datapath == uuid);
    let of = found.map_or_else(|| format!("the zone of {}", node.name()), |(_, name)| name.to_owned());
    let here = || ports.iter().filter(is_here).map(|port| port.name.as_str());
    let Some(inport) = microflow.string("inport") else {
        return Err(ToolError::bad(
            "the microflow has no inport==\"…\"",
            format!(
                "Add inport==\"PORT\". The ports of {of} are: {}.",
                here().collect::<Vec<_>>().join(", ")
            ),
        ));
    };
    match ports.iter().filter(is_here).find(|port| port.name == inport) {
        Some(port) => Ok(Question { datapath: port.datapath, microflow }),
        None => Err(ToolError::not_found(format!("port of {of}"), inport, here())),
    }
}

fn of_name(datapaths: &Datapaths, name: &str) -> Result<Uuid, ToolError> {
    match datapaths.find(name)[..] {
        [found] => Ok(found.uuid),
        _ => Err(ToolError::not_found("single datapath", name, datapaths.iter().map(|it| it.name.as_str()))),
    }
}

/// Builds the packet from the names of its sender and its destination.
pub(crate) async fn named(node: &Node<'_>, ends: EndpointNames<'_>) -> Result<Question, ToolError> {
    let (microflow, _) = ends.resolve(&NodeZone(node.peer(node.name()))).await?;
    let text = microflow.to_string();
    let expression = OvnExpression::parse(&text).map_err(|e| {
        ToolError::bad(format!("{text}: {e}"), "Pass the packet as microflow instead of from and to.")
    })?;
    Ok(Question { datapath: microflow.datapath, microflow: expression })
}

/// The zone of a node, in which names are resolved.
struct NodeZone<'a>(Node<'a>);

impl ZoneReader for NodeZone<'_> {
    type Error = ToolError;

    async fn schema(&self) -> Result<Arc<Schema>, ToolError> {
        Ok(self.0.schema(Db::Sb).await?)
    }

    async fn southbound(&self, selects: &[Select]) -> Result<Vec<Rows>, ToolError> {
        Ok(self.0.rows(Db::Sb, selects).await?)
    }

    async fn northbound(&self, selects: &[Select]) -> Result<Vec<Rows>, ToolError> {
        Ok(self.0.rows(Db::Nb, selects).await?)
    }

    async fn zone_of_pod(&self, pod: &str) -> Option<(String, Self)> {
        let node = self.0.of_pod(&pod.parse().ok()?).await.ok()?;
        Some((node.to_string(), Self(self.0.peer(&node))))
    }

    fn unknown(kind: &str, name: &str, known: Vec<String>) -> ToolError {
        ToolError::not_found(kind, name, known)
    }

    fn refused(problem: String, hint: String) -> ToolError {
        ToolError::bad(problem, hint)
    }
}
