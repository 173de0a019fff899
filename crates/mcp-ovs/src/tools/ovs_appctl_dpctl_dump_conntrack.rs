//! The tool that lists the connections of the datapath.

use crate::{commands, switch, types};
use host_net::state;
use mcp_core::{Answer, Many, Node, Row, Tool, ToolError, lines};
use ovn_model::conntrack::{Entry, Filter, PROTOCOLS, STATES, Summary};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

pub(crate) struct Conntrack;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Zone number, or (part of) the name of a pod or router.
    #[serde(default)]
    zone: Option<String>,
    /// IP address at either end, before or after NAT.
    #[serde(default)]
    address: Option<String>,
    /// Port at either end.
    #[serde(default)]
    port: Option<u16>,
    /// Protocol, such as tcp or udp.
    #[serde(default)]
    protocol: Option<String>,
    /// Connection state, such as SYN_SENT.
    #[serde(default)]
    state: Option<String>,
    /// Connection mark: 0x2, or value/mask.
    #[serde(default)]
    mark: Option<String>,
    /// Count connections by zone and state instead of listing them.
    #[serde(default)]
    summary: bool,
}

impl Tool for Conntrack {
    const NAME: &'static str = "ovs_appctl_dpctl_dump_conntrack";
    const TITLE: &'static str = "Connections of the datapath";
    const TOOLSET: &'static str = "datapath";
    const DESCRIPTION: &'static str = "Lists the connections that the datapath tracks, by zone with its logical port or router. \
         Without a filter, counts connections by zone and state. Use it for NAT, missing replies (SYN_SENT) and stale \
         entries of a service.";
    const MANY: Many = Many::Each { because: "each node tracks its own connections" };
    type Params = Params;

    fn title(_: &Params) -> String {
        "connections".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let names = switch::zones(node).await;
        let filter = Filter {
            zones: params.zone.as_deref().map(|zone| zones(zone, &names)).transpose()?.unwrap_or_default(),
            address: params.address.as_deref().map(address).transpose()?,
            port: params.port,
            protocol: params.protocol.as_deref().map(protocol).transpose()?,
            states: params.state.as_deref().map(states).transpose()?.unwrap_or_default(),
            mark: params.mark.as_deref().map(|mark| types::masked(mark, "mark")).transpose()?,
        };
        let one = match filter.zones[..] {
            [zone] => Some(zone),
            _ => None,
        };
        let dump = switch::text(node, commands::connections(one)).await?;
        let counted = params.summary || !filter.is_narrow();
        let (mut summary, mut entries, mut other) = (Summary::default(), Vec::new(), Vec::new());
        let (mut all, mut fit) = (0usize, 0usize);
        for line in lines(&dump).filter(|line| !line.trim().is_empty()) {
            let Some(entry) = Entry::parse(line) else {
                other.push(line);
                continue;
            };
            all += 1;
            if !filter.wants(&entry) {
                continue;
            }
            fit += 1;
            match counted {
                true => summary.add(&entry),
                false => entries.push((entry.zone(), line.trim())),
            }
        }
        entries.sort_unstable();
        let mut notes = Vec::new();
        if counted && !params.summary && fit > 0 {
            notes.push(
                "these are counts only; pass zone, address, port, state or mark to list connections".into(),
            );
        } else if fit < all {
            notes.push(format!("{fit} of {all} connections match"));
        }
        switch::check_understood("connections of the datapath", all, &other)?;
        notes.extend(switch::not_understood(&other));
        Ok(Answer {
            rows: if counted { summary_rows(&summary, &names) } else { rows(&entries, &names) },
            if_empty: if all == 0 { "no connection is tracked" } else { "no connection matches" }.into(),
            notes,
            ..Answer::default()
        })
    }
}

/// Parses an address that was given as a parameter.
pub(crate) fn address(text: &str) -> Result<IpAddr, ToolError> {
    text.trim().parse().map_err(|_| {
        ToolError::bad(
            format!("`{text}` is not an address"),
            "Pass an IPv4 or IPv6 address; ovnkube_locate finds the address of a pod.",
        )
    })
}

/// Returns a protocol as Open vSwitch prints it: a name or a number.
fn protocol(text: &str) -> Result<String, ToolError> {
    let asked = text.trim().to_ascii_lowercase();
    let asked = if asked == "icmp6" { "icmpv6".to_owned() } else { asked };
    match PROTOCOLS.contains(&asked.as_str()) || asked.parse::<u8>().is_ok() {
        true => Ok(asked),
        false => Err(ToolError::not_found("protocol", text, PROTOCOLS)),
    }
}

/// Returns the states of this name, in any spelling. `FIN_WAIT` stands for both of its kinds.
fn states(text: &str) -> Result<Vec<String>, ToolError> {
    let same: Vec<String> =
        STATES.iter().filter(|state| state::is_same(state, text)).map(|&state| state.to_owned()).collect();
    if same.is_empty() { Err(ToolError::not_found("connection state", text, STATES)) } else { Ok(same) }
}

/// Returns the zones of a number or of a name.
fn zones(text: &str, names: &BTreeMap<u16, String>) -> Result<Vec<u16>, ToolError> {
    if let Ok(zone) = text.parse() {
        return Ok(vec![zone]);
    }
    let of_pod = text.replacen('/', "_", 1);
    let found: Vec<u16> =
        names.iter().filter(|(_, name)| name.contains(&of_pod)).map(|(zone, _)| *zone).collect();
    match found.is_empty() {
        false => Ok(found),
        true => Err(ToolError::not_found("conntrack zone", text, names.values().map(String::as_str))),
    }
}

fn heading(zone: u16, names: &BTreeMap<u16, String>) -> String {
    match (zone, names.get(&zone)) {
        (0, Some(name)) => format!("zone 0 ({name}, and connections without a zone)"),
        (_, Some(name)) => format!("zone {zone} ({name})"),
        (0, None) => "zone 0 (the default zone, which OVN does not use)".into(),
        (_, None) => format!("zone {zone} (unknown name)"),
    }
}

fn rows(entries: &[(u16, &str)], names: &BTreeMap<u16, String>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(entries.len());
    for of_zone in entries.chunk_by(|a, b| a.0 == b.0) {
        let Some((zone, _)) = of_zone.first() else { continue };
        let heading: Arc<str> = heading(*zone, names).into();
        rows.extend(of_zone.iter().map(|(_, line)| Row::line(format!("  {line}")).under(&heading)));
    }
    rows
}

fn summary_rows(summary: &Summary, names: &BTreeMap<u16, String>) -> Vec<Row> {
    let row = |(zone, counts): (u16, Vec<(&str, &str, usize)>)| {
        let total: usize = counts.iter().map(|(.., count)| count).sum();
        let each = counts.iter().map(|(protocol, state, count)| match *state {
            "" => format!("{protocol} {count}"),
            state => format!("{protocol} {state} {count}"),
        });
        Row::line(format!("{}: {total}: {}", heading(zone, names), each.collect::<Vec<_>>().join(", ")))
    };
    summary.zones().into_iter().map(row).collect()
}
