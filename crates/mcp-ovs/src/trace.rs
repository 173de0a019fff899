//! What `ofproto/trace` needs to be told, and how it is asked.

use crate::{
    commands, replay,
    switch::{self, Bridge},
};
use mcp_core::{
    Db, Node, ReadError, ToolError,
    argv::{CtNext, FlowMatch},
};
use ovn_path::{Microflow, Names, NoEndpoint, Protocol, Services};

/// A packet where it comes into a bridge.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) bridge: Bridge,
    pub(crate) flow: FlowMatch,
    /// What conntrack says at each of its steps.
    pub(crate) ct: Vec<CtNext>,
    pub(crate) notes: Vec<String>,
}

/// Where a packet begins and where it is to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) protocol: Protocol,
    pub(crate) port: Option<u16>,
}

/// A flow that a person wrote. A port may be given by its name.
pub(crate) fn written(bridge: &Bridge, flow: &str) -> Result<FlowMatch, ToolError> {
    let hint = "Write it like: in_port=eth0,tcp,dl_src=…,dl_dst=…,nw_src=…,nw_dst=…,nw_ttl=64,tp_dst=80; only fields of a flow, no packet; or give from, to and port.";
    let parsed = |text: &str| FlowMatch::parse(text).map_err(|e| ToolError::bad(e.to_string(), hint));
    let flow = parsed(flow.trim())?;
    let Some(port) = flow.value("in_port") else {
        return Err(ToolError::bad("the flow has no in_port", format!("{} Ports: {}.", hint, names(bridge))));
    };
    if port.parse::<u16>().is_ok() || port == "LOCAL" {
        return Ok(flow);
    }
    match bridge.ports.number(port) {
        Some(number) => {
            let numbered = |part: &str| match part.starts_with("in_port=") {
                true => format!("in_port={number}"),
                false => part.to_owned(),
            };
            parsed(&flow.as_str().split(',').map(numbered).collect::<Vec<_>>().join(","))
        }
        None => Err(ToolError::not_found(
            format!("port of {}", bridge.name.as_str()),
            port,
            bridge.ports.iter().map(|(_, name)| name),
        )),
    }
}

fn names(bridge: &Bridge) -> String {
    bridge.ports.iter().map(|(number, name)| format!("{number} {name}")).collect::<Vec<_>>().join(", ")
}

/// A flow from names: the packet that ovn_trace would make of them, at the interface of the sender.
pub(crate) async fn named(node: &Node<'_>, named: Named<'_>) -> Result<(String, bool), ToolError> {
    let Named { from, to, protocol, port } = named;
    let schema = node.schema(Db::Sb).await?;
    let mut names = Names::new(&node.rows(Db::Sb, &Names::selects(&schema)).await?);
    names.sender(from).map_err(no_endpoint)?;
    let mut found = names.destination(to, protocol, port).map_err(no_endpoint)?;
    if found.is_none() {
        let services = node.rows(Db::Nb, &[Services::select()]).await?;
        names.services = Some(services.first().map(Services::new).unwrap_or_default());
        found = names.destination(to, protocol, port).map_err(no_endpoint)?;
    }
    let nothing = || ToolError::not_found("destination", to, Vec::<String>::new());
    let to = found.ok_or_else(nothing)?;
    let sender = names.sender(from).map_err(no_endpoint)?;
    let microflow = Microflow::new(&names.ports, sender, to.address, protocol, to.port)
        .map_err(|e| ToolError::bad(e.to_string(), e.hint()))?;
    let switch = switch::read(node).await?;
    let interface = switch.interface_of(microflow.inport());
    let Some(number) = interface.and_then(|(_, interface)| interface.ofport) else {
        return Err(ToolError::bad(
            format!("no interface of {} has iface-id {}", node.name(), microflow.inport()),
            "The pod is on another node, or its interface was never plugged: ovs_vsctl_list table=Interface.",
        ));
    };
    Ok((microflow.openflow(number), to.of_service))
}

fn no_endpoint(e: NoEndpoint) -> ToolError {
    match e {
        NoEndpoint::Unknown { kind, name, known } => ToolError::not_found(kind, name, known),
        e => ToolError::bad(e.to_string(), e.hint()),
    }
}

/// What a trace cannot tell of load balancers. OVN since 26.03 finds them by the protocol and port that conntrack has of a
/// connection (`ls_in_ct_extract`); ofproto/trace leaves these fields empty, and takes no value for them.
pub(crate) fn unbalanced(text: &str) -> Option<String> {
    let asked = text.lines().any(|line| line.trim_start().starts_with("move:NXM_NX_CT_TP_DST[]"));
    asked.then(|| {
        "this OVN finds load balancers by conntrack's protocol and port, which ofproto/trace leaves empty: the packet walks \
         past them, which it would not do. ovn_trace follows it to a backend; trace to the backend's address here"
            .into()
    })
}

/// Runs the trace: live in the switch itself, else in a private one that is made as the one that was collected. With what is to
/// be said of that.
pub(crate) async fn run(node: &Node<'_>, question: &Question) -> Result<(String, Vec<String>), ToolError> {
    let Question { bridge, flow, ct, .. } = question;
    let live = commands::trace(&bridge.name, flow, ct).ok_or_else(too_many_states)?;
    match switch::text(node, vec![live]).await {
        Err(ReadError::NotCollected { .. }) if !node.is_live() => replay::trace(node, question).await,
        result => Ok((result?, Vec::new())),
    }
}

/// The steps through conntrack are more than a command can tell apart.
pub(crate) fn too_many_states() -> ToolError {
    ToolError::bad("ct_state has more than 4 states", "Give those of the first steps.")
}
