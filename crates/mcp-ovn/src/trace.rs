//! What ovn-trace needs to be told, and what stands against running it.

use crate::{commands, flows, offline};
use mcp_core::{
    Db, Node, Output, Place, ReadError, ToolError,
    argv::{CtState, OvnExpression},
};
use ovn_model::{
    lflow::Datapaths,
    microflow::{self, Microflow, NoDestination, Ports, Protocol, Services},
};
use ovsdb::{Rows, Select, Uuid};
use std::net::IpAddr;

/// A microflow where it begins.
pub(crate) struct Question {
    pub(crate) datapath: Uuid,
    pub(crate) microflow: OvnExpression,
}

/// The ports of a zone.
pub(crate) async fn ports(node: &Node<'_>) -> Result<Ports, ReadError> {
    Ok(flows::rows(node, &[Ports::select()]).await?.first().map(Ports::new).unwrap_or_default())
}

/// A microflow that a person wrote. The program would abort on a port that does not exist.
pub(crate) fn written(
    datapaths: &Datapaths,
    ports: &Ports,
    datapath: &str,
    text: &str,
) -> Result<Question, ToolError> {
    let microflow = OvnExpression::parse(text).map_err(|e| {
        let hint = "Write it like: inport==\"ns_pod\" && eth.src==… && eth.dst==… && ip4.src==… && ip4.dst==… && ip.ttl==64 && tcp && tcp.dst==80; or give from, to and port.";
        ToolError::bad(format!("microflow: {e}"), hint)
    })?;
    let [found] = datapaths.find(datapath)[..] else {
        return Err(ToolError::not_found(
            "single datapath",
            datapath,
            datapaths.iter().map(|it| it.name.as_str()),
        ));
    };
    let here = || ports.iter().filter(|port| port.datapath == found.uuid).map(|port| port.name.as_str());
    match microflow.string("inport") {
        Some(inport) if here().any(|name| name == inport) => Ok(Question { datapath: found.uuid, microflow }),
        Some(inport) => Err(ToolError::not_found(format!("port of {}", found.name), inport, here())),
        None => Err(ToolError::bad(
            "the microflow has no inport==\"…\"",
            format!("Ports of {}: {}.", found.name, here().collect::<Vec<_>>().join(", ")),
        )),
    }
}

/// A microflow from names.
pub(crate) async fn named(
    node: &Node<'_>,
    ports: &Ports,
    (from, to): (&str, &str),
    protocol: Protocol,
    port: Option<u16>,
) -> Result<Question, ToolError> {
    let Some(sender) = ports.find(from) else {
        return Err(ToolError::not_found(
            "logical port of this zone",
            from,
            ports.iter().map(|port| port.name.as_str()),
        ));
    };
    let (to, port) = destination(node, ports, to, protocol, port).await?;
    let microflow = Microflow::new(ports, sender, to, protocol, port).map_err(|e| {
        ToolError::bad(
            e.to_string(),
            "Give a pod's port as sender and another's address as destination, or datapath and microflow.",
        )
    })?;
    let text = microflow.to_string();
    let expression = OvnExpression::parse(&text)
        .map_err(|e| ToolError::bad(format!("{text}: {e}"), "Give datapath and microflow."))?;
    Ok(Question { datapath: microflow.datapath, microflow: expression })
}

/// The address and port of a destination: an address, a pod or a service.
async fn destination(
    node: &Node<'_>,
    ports: &Ports,
    to: &str,
    protocol: Protocol,
    port: Option<u16>,
) -> Result<(IpAddr, u16), ToolError> {
    let no_destination = |e| match e {
        NoDestination::NoPort => {
            ToolError::bad("parameter `port` is missing", "The destination's port; none with protocol=icmp.")
        }
        NoDestination::NoSuchPort(offered) => ToolError::bad(
            format!("service {to} has no such port"),
            format!("It has {}.", offered.join(", ")),
        ),
        NoDestination::Unknown(known) => {
            ToolError::not_found("address, pod of this zone or service", to, known)
        }
    };
    if let Some(found) = microflow::destination(ports, None, to, protocol, port).map_err(no_destination)? {
        return Ok(found);
    }
    let services =
        node.rows(Db::Nb, &[Services::select()]).await?.first().map(Services::new).unwrap_or_default();
    let found = microflow::destination(ports, Some(&services), to, protocol, port).map_err(no_destination)?;
    found.ok_or_else(|| no_destination(NoDestination::Unknown(Vec::new())))
}

/// What conntrack says at each step, from what was given of it. The program has another default than its users: it takes
/// every packet for one of a known connection, and so goes past load balancers.
pub(crate) fn conntrack(given: &[CtState]) -> Result<[CtState; 4], ToolError> {
    match *given {
        [] => Ok([CtState::New; 4]),
        [a] => Ok([a; 4]),
        [a, b] => Ok([a, b, b, b]),
        [a, b, c] => Ok([a, b, c, c]),
        [a, b, c, d] => Ok([a, b, c, d]),
        _ => Err(ToolError::bad(
            "ct has more than four states",
            "Give those of the first steps: the last one holds from there on.",
        )),
    }
}

/// ovn-trace parses each flow of each datapath: about 12 KiB each, and everything before the first packet.
const MOST_FLOWS: usize = 300_000;

/// Is the database small enough?
pub(crate) async fn check_size(node: &Node<'_>, datapaths: &Datapaths) -> Result<(), ToolError> {
    let read = flows::rows(node, &[Select::from("Logical_Flow").columns(["logical_dp_group"])]).await?;
    let of_row = |row: &ovsdb::Row| {
        row.refs("logical_dp_group").next().map_or(1, |group| datapaths.members(group).count())
    };
    let flows: usize = read.iter().flat_map(|rows: &Rows| &rows.rows).map(of_row).sum();
    match flows <= MOST_FLOWS {
        true => Ok(()),
        false => Err(ToolError::bad(
            format!(
                "the zone has {flows} flows, counting each datapath's: ovn-trace would need more memory than it may"
            ),
            "Follow the packet with ovn_sbctl_lflow_list, a datapath and stage at a time.",
        )),
    }
}

/// Runs it where the southbound database is, or on a copy of what was collected of it. With what is to be said of that.
pub(crate) async fn run(
    node: &Node<'_>,
    trace: &commands::Trace<'_>,
) -> Result<(Output, Option<String>), ToolError> {
    let limited = node.command(Place::SbSocket, &trace.limited()).await;
    let result = match limited {
        Err(ReadError::NoProgram { .. }) => node.command(Place::SbSocket, &trace.unlimited()).await,
        result => result,
    };
    match result {
        Err(ReadError::NotCollected { .. }) if !node.is_live() => {
            offline::trace(node, trace).await.map(|(output, note)| (output, Some(note)))
        }
        result => Ok((result?, None)),
    }
}
