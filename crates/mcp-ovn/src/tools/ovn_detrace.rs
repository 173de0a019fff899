//! The tool `ovn_detrace`: the logical flows and northbound rows behind OpenFlow flows.

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
    /// Cookies (0x…), or UUIDs of rows (or their first digits).
    #[serde(default)]
    cookies: Vec<String>,
    /// Output of ofproto/trace or dump-flows; every cookie in it is resolved.
    #[serde(default)]
    trace: Option<String>,
}

/// The size limit of `trace` in bytes, larger than any real trace.
const MAX_TRACE: usize = 512 << 10;
/// The limit of cookies in one call, more than any real trace contains.
const MAX_COOKIES: usize = 500;

impl Tool for Detrace {
    const NAME: &'static str = "ovn_detrace";
    const TITLE: &'static str = "Origin of OpenFlow flows";
    const TOOLSET: &'static str = "flows";
    const DESCRIPTION: &'static str = "Resolves OpenFlow cookies of br-int to the logical flow, its stage, the \
         northbound row that it implements (ACL, route, NAT, load balancer, …) and the Kubernetes owner. Use it on \
         a flow dump, on the output of ofproto/trace, or on a uuid from ovn_trace.";
    const MANY: Many = Many::Refuse {
        because: "a cookie has a meaning only on its own node",
        instead: "Pass the node on which the flows were recorded as node_name.",
    };
    type Params = Params;

    fn title(_: &Params) -> String {
        "origin of flows".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let queries = queries(params)?;
        let prefixes: BTreeSet<&UuidPrefix> = queries.iter().map(|query| &query.prefix).collect();
        let origins =
            Origins::read(node, &prefixes, queries.iter().filter_map(|query| query.mention.as_ref())).await?;
        let mut resolved = BTreeSet::new();
        let mut rows = Vec::new();
        for query in &queries {
            let datapath = query.mention.as_ref().and_then(|mention| mention.datapath);
            let text = match resolved.insert((&query.prefix, datapath)) {
                true => origins.text(&query.prefix, datapath),
                false => "  * as above".into(),
            };
            rows.push(Row::line(format!("{}\n{text}", query.head())));
        }
        Ok(Answer {
            rows,
            if_empty: "the text contains no flow with a cookie".into(),
            notes: origins.notes.clone(),
            ..Answer::default()
        })
    }
}

/// A cookie or UUID to resolve, and the flow in `trace` that mentions it.
struct CookieQuery {
    prefix: UuidPrefix,
    mention: Option<Mention>,
}

impl CookieQuery {
    fn head(&self) -> String {
        match &self.mention {
            // The caller's dump already shows the counters and actions.
            Some(mention) => {
                mention.line.trim_start().split(" actions=").next().unwrap_or_default().to_owned()
            }
            None => self.prefix.to_string(),
        }
    }
}

fn queries(params: &Params) -> Result<Vec<CookieQuery>, ToolError> {
    let hint = "Pass cookies=0x1ea6f103,0x22fc1326, or pass the output of `ovs-appctl ofproto/trace br-int …` as trace.";
    let text = params.trace.as_deref().unwrap_or_default();
    if text.len() > MAX_TRACE {
        return Err(ToolError::bad(
            format!("trace has more than {MAX_TRACE} bytes"),
            "Pass only the part that contains the flows in question.",
        ));
    }
    let mut queries = Vec::new();
    for cookie in params.cookies.iter().map(|cookie| cookie.trim()).filter(|cookie| !cookie.is_empty()) {
        let prefix = cookie.strip_prefix("cookie=").unwrap_or(cookie).parse();
        let prefix = prefix.map_err(|e: ovn_model::BadPrefix| ToolError::bad(e.to_string(), hint))?;
        queries.push(CookieQuery { prefix, mention: None });
    }
    for mention in mentions(text) {
        // Flows with cookie 0 have no logical flow: ovn-controller adds them itself. OVN's cookies have 32 bits.
        match u32::try_from(mention.cookie) {
            Ok(0) | Err(_) => {}
            Ok(cookie) => {
                queries.push(CookieQuery { prefix: UuidPrefix::cookie(cookie), mention: Some(mention) })
            }
        }
    }
    if params.cookies.is_empty() && params.trace.is_none() {
        return Err(ToolError::bad("parameter `cookies` or `trace` is missing", hint));
    }
    if queries.len() > MAX_COOKIES {
        return Err(ToolError::bad(
            format!("the call asks for more than {MAX_COOKIES} flows"),
            "Pass the flows of one table or one port.",
        ));
    }
    Ok(queries)
}
