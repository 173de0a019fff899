//! The questions and answers of `ofproto/trace`. A live switch runs the real program, and recorded flows are
//! evaluated.

mod endpoints;
mod learning;
mod misfit;
mod recorded;
mod verdict;

pub(crate) use endpoints::named;
pub(crate) use recorded::TracedNode;

use crate::{
    commands,
    switch::{self, Bridge},
};
use mcp_core::{
    ReadError, ToolError,
    argv::{CtNext, FlowMatch},
};
use openflow::{End, eval};

use recorded::{RecordedSwitch, State};
use verdict::Behind;

/// A packet and the bridge that it enters.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) bridge: Bridge,
    pub(crate) flow: FlowMatch,
    /// The conntrack state at each step.
    pub(crate) ct: Vec<CtNext>,
    /// Whether the user chose the hash that selects the buckets of groups.
    pub(crate) hash_given: bool,
    pub(crate) notes: Vec<String>,
}

/// Parses a flow that a user wrote. `in_port` accepts the name of a port.
pub(crate) fn written(bridge: &Bridge, flow: &str) -> Result<FlowMatch, ToolError> {
    let hint = "Write fields of a flow, not a packet: in_port=eth0,tcp,dl_src=…,dl_dst=…,nw_src=…,nw_dst=…,nw_ttl=64,tp_dst=80. Or pass from, to and port.";
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

/// Returns a note if the trace cannot follow load balancers. OVN since 26.03 selects them by the protocol and the
/// port in conntrack (`ls_in_ct_extract`). ofproto/trace leaves these fields empty and accepts no value for them.
pub(crate) fn unbalanced(text: &str) -> Option<String> {
    let asked = text.lines().any(|line| line.trim_start().starts_with("move:NXM_NX_CT_TP_DST[]"));
    asked.then(|| {
        "this trace is not valid for a service address, because load balancing is skipped: this OVN selects load balancers by \
         conntrack's protocol and port, which ofproto/trace leaves empty. Find the backend with ovn_trace, then trace to its address"
            .into()
    })
}

/// Returns a note if the packet leaves through a tunnel: the other node decides its fate.
fn beyond_the_tunnel(ends: &[End]) -> Option<String> {
    let leaves = ends.iter().any(|end| matches!(end, End::Tunnel(_)));
    leaves.then(|| {
        "the verdict ends at the tunnel; ovn_trace with the same from and to follows the packet on the other node".into()
    })
}

/// A trace: the verdict, the text of `ofproto/trace`, and notes about them.
pub(crate) struct Traced {
    pub(crate) verdict: Vec<String>,
    pub(crate) text: String,
    pub(crate) notes: Vec<String>,
}

/// Runs the trace in the live switch, or evaluates the recorded flows.
pub(crate) async fn run(of: &TracedNode<'_>, question: &Question) -> Result<Traced, ToolError> {
    let node = &of.node;
    let Question { bridge, flow, ct, .. } = question;
    let live = commands::trace(&bridge.name, flow, ct).ok_or_else(too_many_states)?;
    let text = match switch::text(node, vec![live]).await {
        Err(ReadError::NotCollected { .. }) if !node.is_live() => return evaluated(of, question).await,
        text => text?,
    };
    let ends = openflow::ends(&text);
    let behind = Behind::read(node, bridge.switch.as_ref(), &ends).await;
    let mut verdict = vec![format!("verdict: {}", behind.verdict(&ends))];
    verdict.extend(learning::not_evaluated(&text));
    let notes = unbalanced(&text).into_iter().chain(beyond_the_tunnel(&ends)).collect();
    Ok(Traced { verdict, notes, text })
}

/// Evaluates the recorded flows. For data that was not recorded, the text makes the same assumptions as
/// `ofproto/trace`, and the verdict also follows the other branches.
async fn evaluated(of: &TracedNode<'_>, question: &Question) -> Result<Traced, ToolError> {
    let (node, bridge) = (&of.node, question.bridge.name.as_str());
    let state = State::read(of, bridge).await?;
    let RecordedSwitch { switch, mut notes, mut doubts } = state.switch(question.bridge.switch.as_ref());
    let packet = openflow::packet(question.flow.as_str(), &question.bridge.ports)
        .map_err(|e| ToolError::bad(e.to_string(), "Use the field names of ovs-fields(7)."))?;
    let states =
        question.ct.iter().map(|next| next.as_str().parse()).collect::<Result<Vec<packet::CtState>, _>>();
    let states = states.map_err(|name| {
        ToolError::bad(format!("`{name}` is not a connection state"), "Pass new, est or reply.")
    })?;
    let mut asked = eval::Question {
        bridge: bridge.to_owned(),
        packet,
        states,
        assumed: vec![eval::NEW],
        tells_tuple: true,
        names: true,
    };
    let trace = eval::trace(&switch, &asked);
    let text = trace.to_string();
    if !question.hash_given {
        asked.packet.set(packet::Field::DP_HASH, 0);
    }
    let branches = eval::trace(&switch, &asked);
    let new = branches.ends();
    if question.ct.iter().any(|state| state.as_str().contains("est") || state.as_str().contains("rpl")) {
        notes.push(
            "ct_state says that the connection exists: if conntrack translates its addresses, as for a service, a real packet takes a path that this answer does not show"
                .into(),
        );
    }
    notes.extend(beyond_the_tunnel(&new));
    let one_of =
        if branches.chooses() && new.len() > 1 { "one of these, because a group chooses one: " } else { "" };
    let established = match (branches.is_translated(), new.as_slice()) {
        (false, ends) if ends.iter().any(|end| matches!(end, End::Unknown(_))) => {
            notes.push(
                "there is no verdict for later packets of the connection, because the path of the first packet is not known to its end"
                    .into(),
            );
            Vec::new()
        }
        // Only the connection table knows to which address conntrack translates packets of the connection.
        (true, _) => {
            notes.push(
                "there is no verdict for later packets of the connection: conntrack translates them like the first packet, and the connection table was not recorded; trace to the translated address instead"
                    .into(),
            );
            Vec::new()
        }
        // The packet goes to a controller, so there is no connection.
        (false, [End::Controller(_)]) => Vec::new(),
        (false, _) => {
            asked.assumed = vec![eval::EST];
            eval::trace(&switch, &asked).ends()
        }
    };
    let learnt = branches.learnt();
    asked.assumed = vec![eval::NEW];
    let next = learning::ends(&switch, &asked, &learnt);
    let all: Vec<End> = new.iter().chain(&established).chain(&next).cloned().collect();
    let behind = Behind::read(node, question.bridge.switch.as_ref(), &all).await;
    for place in all.iter().filter_map(End::miss) {
        let has_flow = switch.bridge(&place.bridge).is_some_and(|bridge| bridge.has_flow_in(place.table));
        doubts.extend((!has_flow).then(|| format!("the recording has no flow of table {}", place.table)));
    }
    if let Some(mixed) = of.mixed() {
        doubts.insert("it mixes data of different collections".into());
        notes.push(mixed);
    }
    let doubts = doubts.into_iter().collect::<Vec<_>>().join(", and ");
    let certain =
        if doubts.is_empty() { String::new() } else { format!(" (may be wrong, because {doubts})") };
    let first = behind.verdict(&new);
    let mut verdict = vec![format!("verdict{certain}: {one_of}{first}")];
    let later = behind.verdict(&established);
    if !established.is_empty() && later != first {
        verdict.push(format!("verdict for a packet of an established connection{certain}: {later}"));
    }
    verdict.extend(match learnt.is_empty() {
        true => learning::not_evaluated(&text),
        false => Some(format!("{}{certain}: {}", learning::subject(&learnt), behind.verdict(&next))),
    });
    if branches.cut {
        notes.push("the trace has more branches than the limit; the others are not followed".into());
    }
    notes.extend(state.notes.iter().cloned());
    notes.push(format!(
        "the trace is evaluated from the recorded flows of {}, without a connection table: each conntrack step has the state that ct_state gives, or new; the learnt MAC addresses are those of the report",
        state.version()
    ));
    Ok(Traced { verdict, text, notes })
}

/// Returns the error for more conntrack steps than the command has states.
pub(crate) fn too_many_states() -> ToolError {
    ToolError::bad("ct_state has more than 4 states", "Pass the states of the first 4 steps.")
}
