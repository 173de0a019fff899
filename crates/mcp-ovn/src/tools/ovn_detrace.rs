//! Where OpenFlow flows come from.

use crate::origins::Origins;
use mcp_core::{Answer, Many, Node, Row, Tool, ToolError};
use ovn_model::{
    UuidPrefix,
    detrace::{Mention, mentions},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

pub(crate) struct Detrace;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Cookies (0x…), UUIDs or their first digits.
    #[serde(default)]
    cookies: Vec<String>,
    /// Output of ofproto/trace or dump-flows.
    #[serde(default)]
    trace: Option<String>,
}

/// More than any trace is long.
const MAX_TRACE: usize = 512 << 10;
/// More cookies than a person asks for, or a trace passes.
const MAX_COOKIES: usize = 500;

impl Tool for Detrace {
    const NAME: &'static str = "ovn_detrace";
    const TITLE: &'static str = "Origin of OpenFlow flows";
    const TOOLSET: &'static str = "flows";
    const DESCRIPTION: &'static str = "What is behind OpenFlow cookies of br-int: logical flow, stage, \
         northbound row (ACL, route, NAT, load balancer, …) and Kubernetes owner. Use it on a flow dump, an \
         ofproto/trace, or a uuid of ovn_trace.";
    const MANY: Many = Many::Refuse {
        because: "a cookie means something on one node only",
        instead: "Name the node whose flows these are.",
    };
    type Params = Params;

    fn title(_: &Params) -> String {
        "origin of flows".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let asked = asked(params)?;
        let prefixes: BTreeSet<&UuidPrefix> = asked.iter().map(|asked| &asked.prefix).collect();
        let origins =
            Origins::read(node, &prefixes, asked.iter().filter_map(|asked| asked.mention.as_ref())).await?;
        let mut told = BTreeSet::new();
        let mut rows = Vec::new();
        for asked in &asked {
            let datapath = asked.mention.as_ref().and_then(|mention| mention.datapath);
            let text = match told.insert((&asked.prefix, datapath)) {
                true => origins.text(&asked.prefix, datapath),
                false => "  * as above".into(),
            };
            rows.push(Row::line(format!("{}\n{text}", asked.head())));
        }
        Ok(Answer {
            rows,
            if_empty: "the text shows no flow with a cookie".into(),
            notes: origins.notes.clone(),
            ..Answer::default()
        })
    }
}

/// What is asked for, and the flow that it was found in.
struct Asked {
    prefix: UuidPrefix,
    mention: Option<Mention>,
}

impl Asked {
    fn head(&self) -> String {
        match &self.mention {
            // Counters and actions of a dump stand in the dump.
            Some(mention) => {
                mention.line.trim_start().split(" actions=").next().unwrap_or_default().to_owned()
            }
            None => self.prefix.to_string(),
        }
    }
}

fn asked(params: &Params) -> Result<Vec<Asked>, ToolError> {
    let hint =
        "Give cookies=0x1ea6f103,0x22fc1326, or in trace what `ovs-appctl ofproto/trace br-int …` printed.";
    let text = params.trace.as_deref().unwrap_or_default();
    if text.len() > MAX_TRACE {
        return Err(ToolError::bad(
            format!("trace has more than {MAX_TRACE} bytes"),
            "Give the part with the flows in question.",
        ));
    }
    let mut asked = Vec::new();
    for cookie in params.cookies.iter().map(|cookie| cookie.trim()).filter(|cookie| !cookie.is_empty()) {
        let prefix = cookie.strip_prefix("cookie=").unwrap_or(cookie).parse();
        let prefix = prefix.map_err(|e: ovn_model::BadPrefix| ToolError::bad(e.to_string(), hint))?;
        asked.push(Asked { prefix, mention: None });
    }
    for mention in mentions(text) {
        // Flows without a cookie are ovn-controller's own; OVN's cookies have 32 bits.
        match u32::try_from(mention.cookie) {
            Ok(0) | Err(_) => {}
            Ok(cookie) => asked.push(Asked { prefix: UuidPrefix::cookie(cookie), mention: Some(mention) }),
        }
    }
    if params.cookies.is_empty() && params.trace.is_none() {
        return Err(ToolError::bad("neither cookies nor a trace is given", hint));
    }
    if asked.len() > MAX_COOKIES {
        return Err(ToolError::bad(
            format!("these are more than {MAX_COOKIES} flows"),
            "Give the flows of one table or port.",
        ));
    }
    Ok(asked)
}
