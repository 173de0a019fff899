//! The tool that lists the flows of the datapath.

use crate::{commands, switch};
use mcp_core::{Answer, Many, Node, Row, Tool, ToolError, lines};
use ovn_model::datapath::{Filter, Flow};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(crate) struct DatapathFlows;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Name or number of the input port.
    #[serde(default)]
    in_port: Option<String>,
    /// IP address that the flow matches or sets.
    #[serde(default)]
    address: Option<String>,
    /// TCP, UDP or SCTP port that the flow matches.
    #[serde(default)]
    port: Option<u16>,
    /// Text that the actions contain, such as drop, ct( or userspace.
    #[serde(default)]
    action: Option<String>,
    /// Show only flows that matched packets.
    #[serde(default)]
    nonzero: bool,
}

impl Tool for DatapathFlows {
    const NAME: &'static str = "ovs_appctl_dpctl_dump_flows";
    const TITLE: &'static str = "Datapath flows";
    const TOOLSET: &'static str = "datapath";
    const DESCRIPTION: &'static str = "Lists the flows that the datapath has cached, which show what happened to packets in the last \
         few seconds. Use it to see whether traffic arrives, is dropped, is offloaded or goes to userspace.";
    const MANY: Many = Many::Each { because: "each node caches flows for its own traffic" };
    type Params = Params;

    fn title(_: &Params) -> String {
        "datapath flows".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = Filter {
            in_port: params.in_port.clone(),
            address: params
                .address
                .as_deref()
                .map(super::ovs_appctl_dpctl_dump_conntrack::address)
                .transpose()?,
            port: params.port,
            action: params.action.clone(),
            nonzero: params.nonzero,
        };
        let dump =
            switch::text_or_recorded(node, commands::datapath_flows(), commands::RECORDED_DATAPATH_FLOWS)
                .await?;
        let (mut flows, mut other, mut all) = (Vec::new(), Vec::new(), 0);
        let mut heading: Option<Arc<str>> = None;
        for line in lines(&dump).filter(|line| !line.trim().is_empty()) {
            match Flow::parse(line) {
                Some(flow) => {
                    all += 1;
                    if filter.wants(&flow) {
                        flows.push((heading.clone(), flow.packets(), flow.short()));
                    }
                }
                // `flow-dump from pmd on cpu core: 3`
                None if line.starts_with("flow-dump ") => heading = Some(line.trim_end_matches(':').into()),
                None => other.push(line),
            }
        }
        switch::check_understood("flows of the datapath", all, &other)?;
        flows.sort_by(|a, b| (&a.0, b.1, &a.2).cmp(&(&b.0, a.1, &b.2)));
        let zones = switch::zones(node).await;
        let mut notes = Vec::new();
        if flows.len() < all {
            notes.push(format!("{} of {all} flows match", flows.len()));
        }
        notes.extend(zone_legend(flows.iter().map(|(.., text)| text.as_str()), &zones));
        notes.extend(switch::not_understood(&other));
        let row = |(heading, _, text): (Option<Arc<str>>, u64, String)| Row { heading, ..Row::line(text) };
        Ok(Answer {
            rows: flows.into_iter().map(row).collect(),
            if_empty: if all == 0 {
                "the datapath has no flow: no packet arrived in the last few seconds"
            } else {
                "no flow matches"
            }
            .into(),
            notes,
            ..Answer::default()
        })
    }
}

/// Returns a note with the names of the zones in flows, each zone once.
fn zone_legend<'a>(
    flows: impl Iterator<Item = &'a str>,
    zones: &std::collections::BTreeMap<u16, String>,
) -> Option<String> {
    /// The number of zones that are shown. A longer note would hide the flows.
    const SHOWN: usize = 20;
    let mut seen = std::collections::BTreeSet::new();
    for flow in flows {
        for (at, word) in flow.match_indices("zone=") {
            let rest = flow.get(at + word.len()..).unwrap_or_default();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            seen.extend(rest.get(..end).and_then(|zone| zone.parse::<u16>().ok()));
        }
    }
    let named: Vec<String> =
        seen.iter().filter_map(|zone| Some(format!("{zone} {}", zones.get(zone)?))).take(SHOWN).collect();
    (!named.is_empty()).then(|| format!("zones: {}", named.join(", ")))
}
