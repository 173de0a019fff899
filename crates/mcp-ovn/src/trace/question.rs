//! The packet to trace, from names or from a microflow expression.

use crate::flows;
use mcp_core::{Db, Node, PodRef, ToolError, argv::OvnExpression};
use ovn_model::lflow::Datapaths;
use ovn_path::{Destination, Microflow, Names, NoEndpoint, Protocol, Services};
use ovsdb::Uuid;

/// The packet to trace and the datapath where it starts.
pub(crate) struct Question {
    pub(crate) datapath: Uuid,
    pub(crate) microflow: OvnExpression,
}

/// Reads the ports and nodes that a name can mean in the node's zone. Services are read later, only if needed.
pub(crate) async fn names(node: &Node<'_>) -> Result<Names, ToolError> {
    let schema = node.schema(Db::Sb).await?;
    Ok(Names::new(&flows::rows(node, &Names::selects(&schema)).await?))
}

/// Builds the packet from a microflow expression.
pub(crate) async fn written(
    node: &Node<'_>,
    names: &Names,
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
    let is_here = |port: &&ovn_path::Port| found.is_none_or(|(uuid, _)| port.datapath == uuid);
    let of = found.map_or_else(|| format!("the zone of {}", node.name()), |(_, name)| name.to_owned());
    let here = || names.ports.iter().filter(is_here).map(|port| port.name.as_str());
    let Some(inport) = microflow.string("inport") else {
        return Err(ToolError::bad(
            "the microflow has no inport==\"…\"",
            format!(
                "Add inport==\"PORT\". The ports of {of} are: {}.",
                here().collect::<Vec<_>>().join(", ")
            ),
        ));
    };
    match names.ports.iter().filter(is_here).find(|port| port.name == inport) {
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
pub(crate) async fn named(
    node: &Node<'_>,
    names: &mut Names,
    (from, to): (&str, &str),
    protocol: Protocol,
    port: Option<u16>,
) -> Result<Question, ToolError> {
    names.sender(from).map_err(no_endpoint)?;
    let to = destination(node, names, to, protocol, port).await?;
    let sender = names.sender(from).map_err(no_endpoint)?;
    let microflow = Microflow::new(&names.ports, sender, to.address, protocol, to.port)
        .map_err(|e| ToolError::bad(e.to_string(), e.hint()))?;
    let text = microflow.to_string();
    let expression = OvnExpression::parse(&text).map_err(|e| {
        ToolError::bad(format!("{text}: {e}"), "Pass the packet as microflow instead of from and to.")
    })?;
    Ok(Question { datapath: microflow.datapath, microflow: expression })
}

/// Finds the destination of the packet. Looks up a pod of another zone in that zone.
async fn destination(
    node: &Node<'_>,
    names: &mut Names,
    to: &str,
    protocol: Protocol,
    port: Option<u16>,
) -> Result<Destination, ToolError> {
    if let Some(found) = names.destination(to, protocol, port).map_err(no_endpoint)? {
        return Ok(found);
    }
    let services = node.rows(Db::Nb, &[Services::select()]).await?;
    names.services = Some(services.first().map(Services::new).unwrap_or_default());
    let missing = match names.destination(to, protocol, port) {
        Ok(Some(found)) => return Ok(found),
        Ok(None) => NoEndpoint::Unknown { kind: "destination", name: to.into(), known: Vec::new() },
        Err(missing) => missing,
    };
    if !matches!(missing, NoEndpoint::Unknown { .. }) {
        return Err(no_endpoint(missing));
    }
    let Ok(pod) = to.parse::<PodRef>() else { return Err(no_endpoint(missing)) };
    // It may be a pod of another zone. If it is not, the error with the names of this zone helps more.
    let Ok(other) = node.of_pod(&pod).await else { return Err(no_endpoint(missing)) };
    let there = self::names(&node.peer(&other)).await?;
    match there.destination(to, protocol, port).map_err(no_endpoint)? {
        Some(found) => Ok(found),
        None => Err(ToolError::bad(
            format!("pod {pod} runs on {other}, but the zone of {other} has no logical port for it"),
            "A host-network pod has the address of its node: pass that address as `to`.",
        )),
    }
}

fn no_endpoint(e: NoEndpoint) -> ToolError {
    match e {
        NoEndpoint::Unknown { kind, name, known } => ToolError::not_found(kind, name, known),
        e => ToolError::bad(e.to_string(), e.hint()),
    }
}
