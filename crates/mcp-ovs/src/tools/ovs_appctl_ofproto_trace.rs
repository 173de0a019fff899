//! The tool that traces a packet through OpenFlow flows.

use crate::{
    switch,
    trace::{self, Question, Traced, TracedNode},
};
use mcp_core::{
    Answer, Many, Node, Row, Tool, ToolError,
    argv::{CtNext, CtState, FlowMatch},
};
use ovn_path::{EndpointNames, Protocol};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(crate) struct OfprotoTrace;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Sender: a pod (namespace/name) or logical port of this node.
    #[serde(default)]
    from: Option<String>,
    /// Destination: an address, a pod of any node, a service (namespace/name) or a node.
    #[serde(default)]
    to: Option<String>,
    /// Protocol of the packet.
    #[serde(default)]
    protocol: Protocol,
    /// Destination port of the packet.
    #[serde(default)]
    port: Option<u16>,
    /// Bridge that `flow` enters. Default: br-int.
    #[serde(default)]
    bridge: Option<String>,
    /// Flow to trace instead of from and to, such as in_port=eth0,tcp,nw_src=…,tp_dst=80.
    #[serde(default)]
    flow: Option<String>,
    /// State at each conntrack step. Default: new.
    #[serde(default)]
    ct_state: Vec<CtState>,
    /// Hash that selects the buckets of groups. Default: 1.
    #[serde(default)]
    dp_hash: Option<u32>,
}

impl Tool for OfprotoTrace {
    const NAME: &'static str = "ovs_appctl_ofproto_trace";
    const TITLE: &'static str = "OpenFlow trace";
    const TOOLSET: &'static str = "openflow";
    const DESCRIPTION: &'static str = "Traces a packet through the OpenFlow flows, conntrack and groups of a node, without sending it. \
         The answer begins with the verdict: where the packet leaves or what drops it. Use it if ovn_trace delivers a packet \
         that does not arrive.";
    const MANY: Many = Many::Refuse {
        because: "a trace starts on one node",
        instead: "Pass the sender's node as node_name, or pass pod.",
    };
    const NAMES_POD: &'static [&'static str] = &["from"];
    type Params = Params;

    fn title(params: &Params) -> String {
        match (&params.from, &params.to) {
            (Some(from), Some(to)) => format!("OpenFlow trace from {from} to {to}"),
            _ => "OpenFlow trace".into(),
        }
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let bridge = params.bridge.as_deref().unwrap_or(switch::INTEGRATION);
        let traced = TracedNode::choose(node, bridge).await;
        let question = question(&traced.node, params).await?;
        let Traced { verdict, text, notes: said } = trace::run(&traced, &question).await?;
        let mut notes = question.notes;
        notes.extend(question.bridge.notes);
        notes.extend(said);
        // A heading is shown whatever grep selects, and again on each page.
        let verdict: Arc<str> = verdict.join("\n").into();
        Ok(Answer {
            rows: text.lines().map(|line| Row::line(line).under(&verdict)).collect(),
            if_empty: "ofproto/trace printed nothing".into(),
            notes,
            ..Answer::default()
        })
    }
}

async fn question(node: &Node<'_>, params: &Params) -> Result<Question, ToolError> {
    let bridge = switch::bridge(node, params.bridge.as_deref()).await?;
    let mut notes = Vec::new();
    let flow = match params {
        Params { flow: Some(flow), from: None, to: None, .. } => trace::written(&bridge, flow)?,
        Params { from: Some(from), to: Some(to), flow: None, bridge: None, .. } => {
            let ends = EndpointNames { from, to, protocol: params.protocol, port: params.port };
            let (flow, of_service) = trace::named(node, bridge.switch.as_ref(), ends).await?;
            if of_service {
                notes.push(
                    "a load balancer chooses the backend by dp_hash; another dp_hash may select another backend".into(),
                );
            }
            trace::written(&bridge, &flow)?
        }
        _ => {
            return Err(ToolError::bad(
                "the parameters do not define one packet",
                "Pass from, to and port, or bridge and flow: in_port=eth0,tcp,nw_src=…,nw_dst=…,tp_dst=80.",
            ));
        }
    };
    let hash_given = params.dp_hash.is_some() || flow.value("dp_hash").is_some();
    // Without a hash, groups that select by dp_hash have no live bucket, and the trace ends there.
    let flow = match flow.value("dp_hash") {
        Some(_) => flow,
        None => {
            let hashed = format!("{},dp_hash={:#x}", flow.as_str(), params.dp_hash.unwrap_or(1));
            FlowMatch::parse(&hashed).map_err(|e| ToolError::bad(e.to_string(), "Pass a shorter flow."))?
        }
    };
    let ct = params.ct_state.iter().copied().map(CtNext).collect();
    notes.insert(0, format!("packet in {}: {}", bridge.name.as_str(), flow.as_str()));
    Ok(Question { bridge, flow, ct, hash_given, notes })
}
