//! What `ofproto/trace` needs to be told, and its answer: of the real program where there is a switch, else of the flows that
//! were recorded.

mod endpoints;
mod recorded;
mod verdict;

pub(crate) use endpoints::{Named, named};

use crate::{
    commands,
    switch::{self, Bridge},
};
use mcp_core::{
    Node, ReadError, ToolError,
    argv::{CtNext, FlowMatch},
};
use openflow::{End, eval};

use recorded::State;
use verdict::Behind;

/// A packet where it comes into a bridge.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) bridge: Bridge,
    pub(crate) flow: FlowMatch,
    /// What conntrack says at each of its steps.
    pub(crate) ct: Vec<CtNext>,
    /// A person has chosen the buckets of groups.
    pub(crate) hash_given: bool,
    pub(crate) notes: Vec<String>,
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

/// A trace: the verdict, the text of `ofproto/trace`, and what is to be said of them.
pub(crate) struct Traced {
    pub(crate) verdict: Vec<String>,
    pub(crate) text: String,
    pub(crate) notes: Vec<String>,
}

/// Runs the trace: live in the switch itself, else through the flows that were recorded.
pub(crate) async fn run(node: &Node<'_>, question: &Question) -> Result<Traced, ToolError> {
    let Question { bridge, flow, ct, .. } = question;
    let live = commands::trace(&bridge.name, flow, ct).ok_or_else(too_many_states)?;
    let text = match switch::text(node, vec![live]).await {
        Err(ReadError::NotCollected { .. }) if !node.is_live() => return evaluated(node, question).await,
        text => text?,
    };
    let ends = openflow::ends(&text);
    let behind = Behind::read(node, &ends).await;
    let verdict = vec![format!("verdict: {}", behind.verdict(&ends))];
    Ok(Traced { verdict, notes: unbalanced(&text).into_iter().collect(), text })
}

/// The trace through recorded flows. What a switch would know and nobody recorded is assumed in the text as `ofproto/trace`
/// assumes it; the verdict follows the other branches too.
async fn evaluated(node: &Node<'_>, question: &Question) -> Result<Traced, ToolError> {
    let bridge = question.bridge.name.as_str();
    let state = State::read(node, bridge).await?;
    let (switch, mut notes) = state.switch();
    let packet = openflow::packet(question.flow.as_str(), &question.bridge.ports)
        .map_err(|e| ToolError::bad(e.to_string(), "Write the flow as ovs-fields(7) names its fields."))?;
    let states =
        question.ct.iter().map(|next| next.as_str().parse()).collect::<Result<Vec<packet::CtState>, _>>();
    let states = states.map_err(|name| {
        ToolError::bad(format!("{name} is no connection state"), "Give new, est or reply.")
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
    let one_of = if branches.chooses() && new.len() > 1 { "by hash, one of: " } else { "" };
    let established = match (branches.is_translated(), new.as_slice()) {
        // What conntrack translates packets of the connection to, only its table knows.
        (true, _) => {
            notes.push(
                "no verdict for packets of the established connection: conntrack translates them as its first packet was, and its table was not recorded; trace to the address behind the translation"
                    .into(),
            );
            Vec::new()
        }
        // There is no connection.
        (false, [End::Controller]) => Vec::new(),
        (false, _) => {
            asked.assumed = vec![eval::EST];
            eval::trace(&switch, &asked).ends()
        }
    };
    let all: Vec<End> = new.iter().chain(&established).cloned().collect();
    let behind = Behind::read(node, &all).await;
    // A flow that is lost may come before one that is not.
    let certain = if notes.iter().any(|note| note.contains("not all flows and groups are understood")) {
        ", unless flows that are not understood say otherwise"
    } else {
        ""
    };
    let first = behind.verdict(&new);
    let mut verdict = vec![format!("verdict{certain}: {one_of}{first}")];
    let later = behind.verdict(&established);
    if !established.is_empty() && later != first {
        verdict.push(format!("verdict for a packet of an established connection: {later}"));
    }
    if branches.cut {
        notes.push("there are more branches than are followed".into());
    }
    notes.extend(state.notes.iter().cloned());
    notes.push(format!(
        "evaluated from the flows of {} as they were recorded, without a connection table: each step through conntrack is what ct_state says, else new; learnt addresses are those of the moment of the report",
        state.version()
    ));
    Ok(Traced { verdict, text, notes })
}

/// The steps through conntrack are more than a command can tell apart.
pub(crate) fn too_many_states() -> ToolError {
    ToolError::bad("ct_state has more than 4 states", "Give those of the first steps.")
}
