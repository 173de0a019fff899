//! The conversion of the names of a sender and a destination into a packet.

use crate::switch;
use mcp_core::{Db, Node, PodRef, ToolError};
use ovn_model::switch::Switch;
use ovn_path::{Destination, Microflow, Names, NoEndpoint, Ports, Protocol, Services};

/// The sender and the destination of a packet, by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) protocol: Protocol,
    pub(crate) port: Option<u16>,
}

/// Returns the flow of the packet that ovn_trace would use for these names, at the interface of the sender, and
/// whether the destination is a service.
pub(crate) async fn named(
    node: &Node<'_>,
    switch: Option<&Switch>,
    named: Named<'_>,
) -> Result<(String, bool), ToolError> {
    let mut names = names(node, &[named.from, named.to]).await?;
    names.sender(named.from).map_err(no_endpoint)?;
    let to = destination(node, &mut names, named).await?;
    let sender = names.sender(named.from).map_err(no_endpoint)?;
    let microflow = Microflow::new(&names.ports, sender, to.address, named.protocol, to.port)
        .map_err(|e| ToolError::bad(e.to_string(), e.hint()))?;
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

/// Returns the names of a zone. Nodes are read only if one of the names may be that of a node.
async fn names(node: &Node<'_>, wanted: &[&str]) -> Result<Names, ToolError> {
    let mut read = node.rows(Db::Sb, &[Ports::select()]).await?;
    let names = Names::new(&read);
    let of_node = |name: &&str| {
        let known = name.contains('/') || names.ports.find(name).is_some();
        !known && name.parse::<std::net::IpAddr>().is_err()
    };
    if !wanted.iter().any(of_node) {
        return Ok(names);
    }
    let schema = node.schema(Db::Sb).await?;
    let mut nodes = Names::selects(&schema);
    nodes.retain(|select| select.table != Ports::select().table);
    read.extend(node.rows(Db::Sb, &nodes).await?);
    Ok(Names::new(&read))
}

/// Returns the destination of the packet. A pod of another zone is looked up in that zone.
async fn destination(
    node: &Node<'_>,
    names: &mut Names,
    Named { to, protocol, port, .. }: Named<'_>,
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
    // If the name is not a pod of another zone, the error of this zone is more useful.
    let is_unknown = matches!(missing, NoEndpoint::Unknown { .. });
    let Some(pod) = to.parse::<PodRef>().ok().filter(|_| is_unknown) else {
        return Err(no_endpoint(missing));
    };
    let Ok(other) = node.of_pod(&pod).await else { return Err(no_endpoint(missing)) };
    let there = self::names(&node.peer(&other), &[to]).await?;
    there.destination(to, protocol, port).map_err(no_endpoint)?.ok_or_else(|| {
        ToolError::bad(
            format!("pod {pod} is on {other}, whose zone has no logical port for it"),
            "A host-network pod has the address of its node: pass that address as `to`.",
        )
    })
}

fn no_endpoint(e: NoEndpoint) -> ToolError {
    match e {
        NoEndpoint::Unknown { kind, name, known } => ToolError::not_found(kind, name, known),
        e => ToolError::bad(e.to_string(), e.hint()),
    }
}
