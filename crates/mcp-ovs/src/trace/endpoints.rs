//! The conversion of the names of a sender and a destination into a packet.

use crate::switch;
use mcp_core::{Db, Node, ToolError};
use ovn_model::switch::Switch;
use ovn_path::{EndpointNames, ZoneReader};
use ovsdb::{Rows, Schema, Select};
use std::sync::Arc;

/// Returns the flow of the packet that ovn_trace would use for these names, at the interface of the sender, and
/// whether the destination is a service.
pub(crate) async fn named(
    node: &Node<'_>,
    switch: Option<&Switch>,
    ends: EndpointNames<'_>,
) -> Result<(String, bool), ToolError> {
    let (microflow, to) = ends.resolve(&NodeZone(node.peer(node.name()))).await?;
    let read;
    let switch = match switch {
        Some(switch) => switch,
        // The error of this read says what is missing.
        None => {
            read = switch::read(node).await?;
            &read
        }
    };
    let interface = switch.interface_of(microflow.inport());
    let Some(number) = interface.and_then(|(_, interface)| interface.ofport) else {
        return Err(ToolError::bad(
            format!("no interface of {} has the iface-id {}", node.name(), microflow.inport()),
            "The pod is on another node, or its interface was not created. List the interfaces with ovs_vsctl_list table=Interface.",
        ));
    };
    Ok((microflow.openflow(number), to.of_service))
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
