//! The way of a packet through the logical flows of a zone.

use crate::{commands, flows, trace};
use mcp_core::{
    Answer, Many, Node, Row, Tool, ToolError,
    argv::{CtState, TraceForm},
};
use ovn_model::{
    microflow::{Ports, Protocol},
    trace::{Onward, onward},
};
use ovsdb::Select;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct Trace;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Pod (namespace/name) or logical port.
    #[serde(default)]
    from: Option<String>,
    /// Address, pod or service (namespace/name).
    #[serde(default)]
    to: Option<String>,
    /// Of the packet.
    #[serde(default)]
    protocol: Protocol,
    /// Destination port.
    #[serde(default)]
    port: Option<u16>,
    /// With microflow: instead of from and to.
    #[serde(default)]
    datapath: Option<String>,
    /// Expression with inport.
    #[serde(default)]
    microflow: Option<String>,
    /// Conntrack's states in turn, the last one from there on; new.
    #[serde(default)]
    ct: Vec<CtState>,
    /// How much of the trace is printed.
    #[serde(default)]
    form: TraceForm,
}

impl Tool for Trace {
    const NAME: &'static str = "ovn_trace";
    const TITLE: &'static str = "OVN trace";
    const TOOLSET: &'static str = "flows";
    const DESCRIPTION: &'static str = "Way of a packet through the logical flows of the sender's zone \
         (`ovn-trace`); nothing is sent. Use it to see which ACL, route or load balancer decides; where it \
         leaves for another zone, the answer says how to go on. ovn_detrace explains a flow's uuid.";
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
        let (datapaths, ports) = (flows::datapaths(node).await?, trace::ports(node).await?);
        let question = match params {
            Params { datapath: Some(datapath), microflow: Some(text), from: None, to: None, .. } => {
                trace::written(&datapaths, &ports, datapath, text)?
            }
            Params { from: Some(from), to: Some(to), datapath: None, microflow: None, .. } => {
                trace::named(node, &ports, (from, to), params.protocol, params.port).await?
            }
            _ => {
                return Err(ToolError::bad(
                    "what to trace is not clear",
                    "Give from, to and port, or datapath and microflow.",
                ));
            }
        };
        trace::check_size(node, &datapaths).await?;
        let command = commands::Trace {
            form: params.form,
            ct: trace::conntrack(&params.ct)?,
            datapath: question.datapath,
            microflow: &question.microflow,
        };
        let (output, note) = trace::run(node, &command).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let remote = |line: &str| {
            ports
                .iter()
                .any(|port| port.kind == "remote" && line.contains(&format!("output(\"{}\")", port.name)))
        };
        let crossing = if params.form == TraceForm::Minimal && text.lines().any(remote) {
            // The minimal form does not say what the packet looks like where it leaves the zone.
            let (again, _) =
                trace::run(node, &commands::Trace { form: TraceForm::Summary, ..command }).await?;
            String::from_utf8_lossy(&again.stdout).into_owned()
        } else {
            text.clone().into_owned()
        };
        let mut notes = Vec::from_iter(note);
        for place in onward(question.microflow.as_str(), &crossing) {
            notes.push(next_step(node, &ports, &place).await);
        }
        Ok(Answer {
            rows: text.lines().map(Row::line).collect(),
            if_empty: "ovn-trace printed nothing".into(),
            notes,
            ..Answer::default()
        })
    }
}

/// How to go on in the zone of the other end.
async fn next_step(node: &Node<'_>, ports: &Ports, place: &Onward) -> String {
    let zone = match ports.find(&place.outport).and_then(|port| port.chassis) {
        Some(chassis) => flows::rows(node, &[Select::by_uuid("Chassis", chassis)]).await.ok(),
        None => None,
    };
    let chassis = zone.as_ref().and_then(|rows| rows.first()?.rows.first());
    let zone =
        chassis.and_then(|row| row.text("hostname")).unwrap_or("the zone that has this port as its own");
    let balanced = match place.balanced {
        true => {
            "; a load balancer chose a backend that ovn-trace does not name: put its address and port in place of the service's"
        }
        false => "",
    };
    format!(
        "the packet leaves by {} for {zone}: go on with ovn_trace node_name={zone} datapath={} microflow={}{balanced}",
        place.outport, place.datapath, place.microflow
    )
}
