//! Flows that a switch learns from a packet (`learn` of `ovs-actions(7)`). They decide the path of the next packet.
//!
//! OVN learns the backend of a client for session affinity. It drops the packet from which it learns, and the client
//! sends the packet again. The fate of the first packet alone would look like a fault.

use openflow::{
    End, Switch,
    eval::{self, LearntFlow, Question},
};

/// The number of learnt flows whose effect is evaluated. Each backend of a service has one.
const EVALUATED: usize = 16;

/// Returns the fates of the same packet after the switch has learnt a flow, for each flow.
pub(super) fn ends(switch: &Switch<'_>, question: &Question, learnt: &[LearntFlow]) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for flow in learnt.iter().take(EVALUATED) {
        let after = switch.clone().with_flow(&flow.bridge, &flow.line);
        for end in eval::trace(&after, question).ends() {
            if !ends.contains(&end) {
                ends.push(end);
            }
        }
    }
    if learnt.len() > EVALUATED {
        ends.push(End::Unknown(format!("only {EVALUATED} of {} learnt flows are evaluated", learnt.len())));
    }
    ends
}

/// Returns the beginning of the verdict for the next packet.
pub(super) fn subject(learnt: &[LearntFlow]) -> String {
    let timeout = learnt.iter().find_map(|flow| flow.idle_timeout);
    let timeout = timeout.map(|seconds| format!(", which expires after {seconds} s without a match"));
    format!(
        "verdict for the same packet again (a retransmission, or a new connection of this client), because the switch learns a \
         flow from the first{}",
        timeout.unwrap_or_default()
    )
}

/// Returns the verdict for the next packet if the text of a trace has a `learn` whose flow is not known.
pub(super) fn not_evaluated(text: &str) -> Option<String> {
    let learns = text.lines().any(|line| line.trim_start().starts_with("learn("));
    learns.then(|| {
        "verdict for the same packet again (a retransmission, or a new connection of this client): not evaluated. The switch learns a \
         flow from the first packet (learn), and a trace does not add this flow. OVN drops the first packet of a connection to \
         a service with session affinity after it has learnt the backend: trace to the address of the backend"
            .into()
    })
}
