//! The tool `ovn_trace`: traces a packet through the logical flows of all zones on its path.

use crate::{
    commands, flows, meanings,
    trace::{
        answer::{self, Detail},
        follow::Zones,
        question::{self, Question},
        real,
    },
};
use mcp_core::{
    Answer, Many, Node, Row, Tool, ToolError,
    argv::{CtState, TraceForm},
};
use ovn_lflow::{Start, Zone, tree};
use ovn_path::{EndpointNames, Protocol, Verdict, reply_to, route};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

pub(crate) struct Trace;

/// The output format of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// The schema shows the documentation of the parameter instead.
#[schemars(description = "")]
enum TraceFormat {
    #[default]
    Route,
    Detailed,
    Summary,
    Minimal,
    Real,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Sender: a pod (namespace/name), logical port, node, or an address inside or outside the cluster.
    #[serde(default)]
    from: Option<String>,
    /// Destination: an address, a pod or service (namespace/name), or a node.
    #[serde(default)]
    to: Option<String>,
    /// Protocol of the packet.
    #[serde(default)]
    protocol: Protocol,
    /// Destination port of the packet.
    #[serde(default)]
    port: Option<u16>,
    /// Datapath of the microflow; the inport is usually enough.
    #[serde(default)]
    datapath: Option<String>,
    /// The packet as an ovn-trace expression with inport, instead of from and to.
    #[serde(default)]
    microflow: Option<String>,
    /// State at each conntrack lookup; the last one repeats. Default: tracked, beginning with new.
    #[serde(default)]
    ct: Vec<CtState>,
    /// Trace only to this backend of the service: address or address:port.
    #[serde(default)]
    backend: Option<String>,
    /// Size of the packet in bytes, for checks of the MTU.
    #[serde(default)]
    size: Option<u32>,
    /// Also trace the reply back to the sender.
    #[serde(default)]
    reply: bool,
    /// Output. route: one line for each datapath. detailed, summary, minimal: the formats of ovn-trace. real: run
    /// ovn-trace in the cluster's container (live only).
    #[serde(default)]
    form: TraceFormat,
}

impl Tool for Trace {
    const NAME: &'static str = "ovn_trace";
    const TITLE: &'static str = "OVN trace";
    const TOOLSET: &'static str = "flows";
    const DESCRIPTION: &'static str = "Traces a packet through OVN's logical flows in all zones on its path \
         and prints the verdict first: where it is delivered, or which ACL, route, NAT or load balancer drops \
         or refuses it, and for which Kubernetes object. Every backend and next hop is traced; no packet is \
         sent, and no program runs except with form=real. Use it first when a connection fails; \
         ovs_appctl_ofproto_trace shows what Open vSwitch does with the packet.";
    const MANY: Many = Many::Refuse {
        because: "a trace starts on one node",
        instead: "Pass the sender's node as node_name, or pass pod.",
    };
    const NAMES_POD: &'static [&'static str] = &["from"];
    type Params = Params;

    fn title(params: &Params) -> String {
        match (&params.from, &params.to) {
            (Some(from), Some(to)) => format!("trace from {from} to {to}"),
            _ => "trace".into(),
        }
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let question = match params {
            Params { microflow: Some(text), from: None, to: None, datapath, .. } => {
                question::written(node, datapath.as_deref(), text).await?
            }
            Params { from: Some(from), to: Some(to), datapath: None, microflow: None, .. } => {
                let Params { protocol, port, .. } = *params;
                question::named(node, EndpointNames { from, to, protocol, port }).await?
            }
            _ => {
                return Err(ToolError::bad(
                    "the packet to trace is ambiguous or incomplete",
                    "Pass from, to and port; or pass microflow without them.",
                ));
            }
        };
        match params.form {
            TraceFormat::Real => real(node, params, &question).await,
            TraceFormat::Route => evaluated(node, params, &question, Detail::Route).await,
            TraceFormat::Detailed => evaluated(node, params, &question, Detail::Text(tree::detailed)).await,
            TraceFormat::Summary => evaluated(node, params, &question, Detail::Text(tree::summary)).await,
            TraceFormat::Minimal => evaluated(node, params, &question, Detail::Text(tree::minimal)).await,
        }
    }
}

/// Evaluates the logical flows in this process.
async fn evaluated(
    node: &Node<'_>,
    params: &Params,
    question: &Question,
    detail: Detail,
) -> Result<Answer, ToolError> {
    let mut zones = Zones::default();
    let start = zones.begin(node, |zone| start(zone, params, question)).await?;
    let paths = zones.follow(node, node.name().as_str(), &start, &BTreeMap::new()).await;
    let causes = zones.causes(node, &paths).await;
    let mut lines = answer::answer_lines(&paths, &zones.read, &causes, detail);
    let mut notes = vec![format!("packet: {}", question.microflow.as_str())];
    answer::add_notes(&mut notes, &paths);
    if params.reply {
        for (at, path) in answer::delivered(&paths, &zones.read, &causes).into_iter().enumerate() {
            let Some((zone, start)) = reply_to(path, &zones.read) else { continue };
            let back = zones.follow(node, &zone, &start, &path.known).await;
            let causes = zones.causes(node, &back).await;
            for back in &back {
                let verdict = Verdict::of(back, &zones.read, &causes);
                lines.push(format!("reply {}: {}", at + 1, answer::reply_verdict(path, back, &verdict)));
                lines.extend(route(back, &zones.read, &causes).into_iter().map(|line| format!("  {line}")));
            }
            answer::add_notes(&mut notes, &back);
        }
    }
    notes.extend(zones.into_notes());
    let meanings = meanings::of_sets(node, lines.iter().map(String::as_str)).await;
    Ok(Answer {
        meanings,
        rows: lines.into_iter().map(Row::line).collect(),
        if_empty: "the trace has no path".into(),
        notes,
        ..Answer::default()
    })
}

/// Builds the start of the trace from the packet and the parameters.
fn start(zone: &Zone, params: &Params, question: &Question) -> Result<Start, ToolError> {
    /// More conntrack lookups than any packet has in one zone.
    const LOOK_UPS: usize = 64;
    let text = question.microflow.as_str();
    let mut start = zone.start(text).map_err(|e| {
        ToolError::bad(
            format!("microflow: {e}"),
            "Write every field as a comparison with one value, such as `ip4.src==10.0.0.1`.",
        )
    })?;
    start.size = params.size;
    start.backend = params.backend.as_deref().map(backend).transpose()?;
    let state = |state: &CtState| {
        packet::CtState::TRK
            | match state {
                CtState::New => packet::CtState::NEW,
                CtState::Established => packet::CtState::EST,
                CtState::Reply => packet::CtState::EST | packet::CtState::RPL,
            }
    };
    if let Some(last) = params.ct.last() {
        start.states = params.ct.iter().chain(std::iter::repeat(last)).take(LOOK_UPS).map(state).collect();
    }
    Ok(start)
}

/// Parses a backend: `10.244.0.3:8080`, `10.244.0.3` or `[fd00::3]:8080`.
fn backend(text: &str) -> Result<(u128, Option<u16>), ToolError> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    };
    let with_port = text.parse().map(|it: SocketAddr| (number(it.ip()), Some(it.port())));
    with_port.or_else(|_| text.parse().map(|it| (number(it), None))).map_err(|_| {
        ToolError::bad(
            format!("parameter `backend`: `{text}` is not an address"),
            "Pass an address such as 10.244.0.3 or 10.244.0.3:8080.",
        )
    })
}

/// Runs ovn-trace in the cluster's container and returns its output.
async fn real(node: &Node<'_>, params: &Params, question: &Question) -> Result<Answer, ToolError> {
    real::check_size(node, &flows::datapaths(node).await?).await?;
    let command = commands::Trace {
        form: TraceForm::Detailed,
        ct: real::conntrack_states(&params.ct)?,
        datapath: question.datapath,
        microflow: &question.microflow,
    };
    let output = real::run(node, &command).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let meanings = meanings::of_sets(node, std::iter::once(&*text)).await;
    Ok(Answer {
        meanings,
        rows: text.lines().map(Row::line).collect(),
        if_empty: "ovn-trace printed nothing".into(),
        notes: vec![
            "ovn-trace sees only this zone, picks one backend at random, and ignores flows with template variables and static MAC bindings"
                .into(),
        ],
        ..Answer::default()
    })
}
