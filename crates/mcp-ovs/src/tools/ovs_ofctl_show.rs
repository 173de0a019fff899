//! The tool that lists the ports, groups and meters of a bridge.

use crate::{
    commands::{self, BridgeDump},
    compare::OwnValues,
    switch::{self, Bridge},
    types,
};
use mcp_core::{Answer, CounterDelta, Node, ReadError, Row, RowField, RowIdentity, Tool, ToolError};
use openflow::described::{self, Described};
use ovn_model::counters;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) struct OfctlShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Bridge. Default: br-int.
    #[serde(default)]
    bridge: Option<String>,
    /// Objects to list. Default: ports.
    #[serde(default)]
    what: What,
    /// Name or number of one object.
    #[serde(default)]
    id: Option<String>,
    /// Show the growth of the counters of ports during this time.
    #[serde(default)]
    #[schemars(range(min = 1, max = 120))]
    delta_seconds: Option<u16>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    #[default]
    Ports,
    Groups,
    Meters,
}

impl Tool for OfctlShow {
    const NAME: &'static str = "ovs_ofctl_show";
    const TITLE: &'static str = "Ports, groups and meters of a bridge";
    const TOOLSET: &'static str = "openflow";
    const DESCRIPTION: &'static str = "Lists the ports of a bridge with number, state, MAC and counters (drops, errors), its groups \
         (backends of load balancers) or its meters.";
    type Params = Params;

    fn title(params: &Params) -> String {
        let what = match params.what {
            What::Ports => "ports",
            What::Groups => "groups",
            What::Meters => "meters",
        };
        format!("{what} of {}", params.bridge.as_deref().unwrap_or("br-int"))
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let bridge = switch::bridge(node, params.bridge.as_deref()).await?;
        if let Some(seconds) = types::delta_seconds(params.delta_seconds)? {
            return delta(node, &bridge, params, seconds).await;
        }
        let (dump, statistics) = match params.what {
            What::Ports => (BridgeDump::Ports, BridgeDump::PortStatistics),
            What::Groups => (BridgeDump::Groups, BridgeDump::GroupStatistics),
            What::Meters => (BridgeDump::Meters, BridgeDump::MeterStatistics),
        };
        let text = switch::text(node, commands::ofctl(dump, &bridge.name)).await?;
        switch::check_reply(&Self::title(params), &text)?;
        let (statistics, mut notes) =
            match switch::text(node, commands::ofctl(statistics, &bridge.name)).await {
                Ok(text) => (text, Vec::new()),
                Err(e) => (String::new(), vec![format!("without statistics: {e}")]),
            };
        let rows: Vec<(String, Row)> = match params.what {
            What::Ports => ports(&text, &statistics, &bridge),
            What::Groups => groups(&text, &statistics),
            What::Meters => meters(&text, &statistics),
        };
        let known: Vec<String> = rows.iter().map(|(id, _)| id.clone()).collect();
        let is =
            |id: &str| params.id.as_deref().is_none_or(|wanted| id.split(' ').any(|word| word == wanted));
        let rows: Vec<Row> = rows.into_iter().filter(|(id, _)| is(id)).map(|(_, row)| row).collect();
        if let (Some(id), true, false) = (&params.id, rows.is_empty(), node.is_compared()) {
            let kind = match params.what {
                What::Ports => "port",
                What::Groups => "group",
                What::Meters => "meter",
            };
            return Err(ToolError::not_found(format!("{kind} of {}", bridge.name.as_str()), id, known));
        }
        notes.extend(bridge.notes);
        Ok(Answer {
            rows,
            if_empty: format!("there are no {}", Self::title(params)),
            notes,
            facts: OwnValues::read(node).await.facts(),
            ..Answer::default()
        })
    }
}

async fn delta(node: &Node<'_>, bridge: &Bridge, params: &Params, seconds: u16) -> Result<Answer, ToolError> {
    if !matches!(params.what, What::Ports) {
        return Err(ToolError::bad(
            "delta_seconds samples only counters of ports",
            "Omit `what` or `delta_seconds`.",
        ));
    }
    let read = || async {
        let text = switch::text(node, commands::ofctl(BridgeDump::PortStatistics, &bridge.name)).await?;
        let of = |name: &str| params.id.as_ref().is_none_or(|id| name.split(' ').next() == Some(id));
        let counters = counters::ports(&text, &bridge.ports);
        Ok::<_, ReadError>(counters.into_iter().filter(|(name, _)| of(name)).collect())
    };
    Ok(CounterDelta::sample(node, seconds, read).await?.answer())
}

/// Joins the lines of a description into one, without the spaces that align them.
fn in_one(described: &Described<'_>) -> String {
    let line = |line: &&str| line.split_whitespace().collect::<Vec<_>>().join(" ").replace(": ", ":");
    described.lines.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn ports(text: &str, statistics: &str, bridge: &Bridge) -> Vec<(String, Row)> {
    let statistics: BTreeMap<String, Vec<(String, u64)>> =
        counters::port_statistics(statistics).into_iter().collect();
    let row = |port: Described<'_>| {
        let name = bridge.ports.name(port.id).unwrap_or("?");
        let mut text = format!("{} {name}: {}", port.id, in_one(&port));
        for direction in ["rx ", "tx "] {
            let counters = statistics.get(port.id).into_iter().flatten();
            let counters = counters
                .filter_map(|(name, value)| Some(format!("{}={value}", name.strip_prefix(direction)?)));
            let counters: Vec<String> = counters.collect();
            if !counters.is_empty() {
                text += &format!("\n    {direction}{}", counters.join(", "));
            }
        }
        let fields = port.lines.iter().filter_map(|line| line.split_once(':'));
        let fields = fields.filter(|(name, _)| matches!(*name, "config" | "state" | "speed" | "current"));
        let identity = RowIdentity {
            key: format!("port {name}"),
            local: bridge.ports.is_of_pod(port.id),
            fields: fields.map(|(name, value)| RowField::one(name, value.trim())).collect(),
            ..RowIdentity::default()
        };
        (format!("{} {name}", port.id), Row::with(text, identity))
    };
    let mut ports = described::ports(text);
    ports.sort_by_key(|port| port.id.parse::<u16>().unwrap_or(u16::MAX));
    ports.into_iter().map(row).collect()
}

fn groups(text: &str, statistics: &str) -> Vec<(String, Row)> {
    let statistics = described::groups(statistics);
    let row = |group: Described<'_>| {
        let what = group.lines.concat();
        let mut text = format!("group {}: {}", group.id, what.replace(",bucket=", "\n    bucket="));
        if let Some(counters) = statistics.iter().find(|it| it.id == group.id) {
            text += &format!("\n    {}", counters.lines.concat());
        }
        // Each node assigns its own numbers to groups.
        (
            group.id.to_owned(),
            Row::with(text, RowIdentity { key: format!("group {what}"), ..RowIdentity::default() }),
        )
    };
    let mut groups = described::groups(text);
    groups.sort_by_key(|group| group.id.parse::<u32>().unwrap_or(u32::MAX));
    groups.into_iter().map(row).collect()
}

fn meters(text: &str, statistics: &str) -> Vec<(String, Row)> {
    let statistics = described::meter_statistics(statistics);
    let row = |meter: Described<'_>| {
        let what = meter.lines.join(" ");
        let mut text = format!("meter {}: {what}", meter.id);
        if let Some(counters) = statistics.iter().find(|it| it.id == meter.id) {
            text += &format!("\n    {}", counters.lines.join("; "));
        }
        (
            meter.id.to_owned(),
            Row::with(text, RowIdentity { key: format!("meter {what}"), ..RowIdentity::default() }),
        )
    };
    let mut meters = described::meters(text);
    meters.sort_by_key(|meter| meter.id.parse::<u32>().unwrap_or(u32::MAX));
    meters.into_iter().map(row).collect()
}
