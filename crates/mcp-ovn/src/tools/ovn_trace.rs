//! The way of a packet through the logical flows of all zones that it comes to.

use crate::{
    commands, flows,
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
use ovn_path::{Protocol, Verdict, answer_to, route};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

pub(crate) struct Trace;

/// How the way of a packet is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// What stands in a schema is what the parameter says of itself.
#[schemars(description = "")]
enum Form {
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
    /// Sender: pod (namespace/name), logical port, node, or an address, which may be outside the cluster.
    #[serde(default)]
    from: Option<String>,
    /// Destination: address, pod or service (namespace/name), or node.
    #[serde(default)]
    to: Option<String>,
    /// Of the packet.
    #[serde(default)]
    protocol: Protocol,
    /// Destination port.
    #[serde(default)]
    port: Option<u16>,
    /// Of microflow; its inport is enough.
    #[serde(default)]
    datapath: Option<String>,
    /// Instead of from and to: an expression with inport.
    #[serde(default)]
    microflow: Option<String>,
    /// What conntrack says at each look-up, the last one from there on. Default: what the connection is known by, which is new.
    #[serde(default)]
    ct: Vec<CtState>,
    /// Only this backend of a service: address or address:port.
    #[serde(default)]
    backend: Option<String>,
    /// Size of the packet in bytes, for limits of size.
    #[serde(default)]
    size: Option<u32>,
    /// Also follow the answer back.
    #[serde(default)]
    reply: bool,
    /// route: a line for each datapath; detailed, summary, minimal: as ovn-trace prints it; real: run the container's
    /// ovn-trace, live only.
    #[serde(default)]
    form: Form,
}

impl Tool for Trace {
    const NAME: &'static str = "ovn_trace";
    const TITLE: &'static str = "OVN trace";
    const TOOLSET: &'static str = "flows";
    const DESCRIPTION: &'static str = "What OVN does with a packet, in all zones that it comes to: the verdict first (delivered \
         where; dropped or refused by which ACL, route, NAT or load balancer, and for which Kubernetes object), then the \
         way. Every backend and next hop is followed; nothing is sent and no program runs. Use it first when a connection \
         fails; ovs_appctl_ofproto_trace shows what the switch makes of it.";
    const MANY: Many = Many::Refuse {
        because: "a packet begins on one node",
        instead: "Name the sender's node, or give `pod`.",
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
        let mut names = question::names(node).await?;
        let question = match params {
            Params { microflow: Some(text), from: None, to: None, datapath, .. } => {
                question::written(node, &names, datapath.as_deref(), text).await?
            }
            Params { from: Some(from), to: Some(to), datapath: None, microflow: None, .. } => {
                question::named(node, &mut names, (from, to), params.protocol, params.port).await?
            }
            _ => {
                return Err(ToolError::bad(
                    "what to trace is not clear",
                    "Give from, to and port, or a microflow.",
                ));
            }
        };
        match params.form {
            Form::Real => real(node, params, &question).await,
            Form::Route => evaluated(node, params, &question, Detail::Route).await,
            Form::Detailed => evaluated(node, params, &question, Detail::Text(tree::detailed)).await,
            Form::Summary => evaluated(node, params, &question, Detail::Text(tree::summary)).await,
            Form::Minimal => evaluated(node, params, &question, Detail::Text(tree::minimal)).await,
        }
    }
}

/// The flows, evaluated here.
async fn evaluated(
    node: &Node<'_>,
    params: &Params,
    question: &Question,
    detail: Detail,
) -> Result<Answer, ToolError> {
    let mut zones = Zones::default();
    let start = zones.begin(node, |zone| start(zone, params, question)).await?;
    let ways = zones.follow(node, node.name().as_str(), &start, &BTreeMap::new()).await;
    let causes = zones.causes(node, &ways).await;
    let mut lines = answer::tell(&ways, &zones.read, &causes, detail);
    let mut notes = answer::notes(&ways);
    if params.reply {
        for (at, way) in answer::delivered(&ways, &zones.read, &causes).into_iter().enumerate() {
            let Some((zone, start)) = answer_to(way, &zones.read) else { continue };
            let back = zones.follow(node, &zone, &start, &way.known).await;
            let causes = zones.causes(node, &back).await;
            for back in &back {
                let verdict = Verdict::of(back, &zones.read, &causes);
                lines.push(format!("answer {}: {}", at + 1, answer::of_answer(way, back, &verdict)));
                lines.extend(route(back, &zones.read, &causes).into_iter().map(|line| format!("  {line}")));
            }
            notes.extend(answer::notes(&back));
        }
    }
    notes.insert(0, format!("the packet: {}", question.microflow.as_str()));
    notes.extend(zones.into_notes());
    Ok(Answer {
        rows: lines.into_iter().map(Row::line).collect(),
        if_empty: "the packet went nowhere".into(),
        notes,
        ..Answer::default()
    })
}

/// What the trace begins with.
fn start(zone: &Zone, params: &Params, question: &Question) -> Result<Start, ToolError> {
    /// A packet is looked up less often than this in one zone.
    const LOOK_UPS: usize = 64;
    let text = question.microflow.as_str();
    let mut start = zone.start(text).map_err(|e| {
        ToolError::bad(
            format!("microflow: {e}"),
            "Say what each field is: `ip4.src==10.0.0.1`; nothing else is a packet.",
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

/// `10.244.0.3:8080`, `10.244.0.3`, `[fd00::3]:8080`
fn backend(text: &str) -> Result<(u128, Option<u16>), ToolError> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    };
    let with_port = text.parse().map(|it: SocketAddr| (number(it.ip()), Some(it.port())));
    with_port.or_else(|_| text.parse().map(|it| (number(it), None))).map_err(|_| {
        ToolError::bad(
            format!("backend: `{text}` is no address"),
            "Write it like 10.244.0.3 or 10.244.0.3:8080.",
        )
    })
}

/// What the container's own program says.
async fn real(node: &Node<'_>, params: &Params, question: &Question) -> Result<Answer, ToolError> {
    real::check_size(node, &flows::datapaths(node).await?).await?;
    let command = commands::Trace {
        form: TraceForm::Detailed,
        ct: real::conntrack(&params.ct)?,
        datapath: question.datapath,
        microflow: &question.microflow,
    };
    let output = real::run(node, &command).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Answer {
        rows: text.lines().map(Row::line).collect(),
        if_empty: "ovn-trace printed nothing".into(),
        notes: vec![
            "ovn-trace sees this zone only, picks one backend at random, and leaves out flows with template variables and static MAC bindings"
                .into(),
        ],
        ..Answer::default()
    })
}
