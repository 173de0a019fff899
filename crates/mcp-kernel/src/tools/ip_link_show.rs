//! The tool `ip_link_show`: network interfaces.

use crate::{
    commands,
    compare::{self, identity},
    output::{filled, text, timed},
    types::InterfaceParam,
};
use host_net::interface::{self, Interface};
use mcp_core::{Answer, Node, Output, Reading, Row, RowField, Tool, ToolError};
use ovn_model::host::is_pod_interface;
use std::collections::BTreeMap;

pub(crate) struct IpLinkShow;

impl Tool for IpLinkShow {
    const NAME: &'static str = "ip_link_show";
    const TITLE: &'static str = "Interfaces";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Lists interfaces with their MTU, state, kind, MAC address, VRF, and \
         packet and drop counters.";
    type Params = InterfaceParam;

    fn title(_: &InterfaceParam) -> String {
        "interfaces".into()
    }

    async fn run(node: &Node<'_>, params: &InterfaceParam) -> Result<Answer, ToolError> {
        let parse = |output: Output| interface::parse(timed(&text(&output)));
        let place = compare::place(node);
        let parsed = node
            .first(vec![
                Reading::command(place.clone(), commands::links(), parse),
                // For a network namespace, sos records no counters.
                Reading::recorded(place.clone(), "ip -d address show", parse),
                Reading::recorded(place.clone(), "ip -d address", parse),
                Reading::recorded(place.clone(), "ip addr", parse),
                Reading::recorded(place, "ip -j -s -d link", parse),
            ])
            .await?;
        let parsed = filled("the interfaces", parsed)?;
        let mut rows: Vec<Row> = params.among(&parsed.rows)?.map(row).collect();
        if node.is_compared() {
            rows.extend(of_pods(params.among(&parsed.rows)?));
        }
        Ok(Answer {
            rows,
            if_empty: "no interface".into(),
            notes: parsed.notes(),
            facts: compare::facts(node).await,
            not_compared: vec![
                "counters, peers, driver limits, and MAC addresses that OVN-Kubernetes does not assign"
                    .into(),
            ],
            ..Answer::default()
        })
    }
}

fn row(it: &Interface) -> Row {
    let peer = it.peer.as_ref().map(|peer| format!("@{peer}")).unwrap_or_default();
    let word = |name: &str| it.get(name).map(|value| format!(" {name} {value}")).unwrap_or_default();
    let mut text = format!(
        "{}{peer} <{}>{}{}{}",
        it.name,
        it.flags.join(","),
        word("mtu"),
        word("state"),
        word("master")
    );
    text += &it.mac().map(|mac| format!(" {mac}")).unwrap_or_default();
    let namespace = interface::word_after(&it.link, "link-netns").map(|name| format!(" netns {name}"));
    text += &namespace.unwrap_or_default();
    if !kind(it).is_empty() {
        text += &format!(" {}", kind(it));
    }
    for direction in ["rx", "tx"] {
        let counters: Vec<String> = it
            .counters
            .iter()
            .filter(|(of, name, n)| {
                *of == direction && (*n > 0 || matches!(name.as_str(), "bytes" | "packets"))
            })
            .map(|(_, name, n)| format!("{n} {name}"))
            .collect();
        if !counters.is_empty() {
            text += &format!(
                "{} {direction} {}",
                if direction == "rx" { "\n   " } else { ";" },
                counters.join(", ")
            );
        }
    }
    it.more.iter().for_each(|line| text += &format!("\n    {line}"));
    let details = details(it);
    let mut fields = compare::fields([
        ("mtu", it.get("mtu")),
        ("state", it.get("state")),
        ("master", it.get("master")),
        ("mac", it.mac()),
        ("kind", Some(details.as_str())),
    ]);
    fields.push(RowField { name: "flags".into(), values: it.flags.clone(), spanning: true });
    Row::with(text, identity(format!("interface {}", it.name), fields, is_pod_interface(&it.name)))
}

/// Returns one row with the MTU and state of all pod interfaces, to compare. Each pod interface exists on one node
/// only, but the MTU and state are the same for all pods.
fn of_pods<'a>(interfaces: impl Iterator<Item = &'a Interface>) -> Option<Row> {
    let mut names = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for it in interfaces.filter(|it| is_pod_interface(&it.name)) {
        let value = (it.get("mtu").unwrap_or("unknown"), it.get("state").unwrap_or("unknown"));
        names.entry(value).or_default().push(&it.name);
    }
    let lines = names.iter().map(|((mtu, state), names)| {
        format!("\n  mtu {mtu} state {state}: {} ({})", names.len(), names.join(", "))
    });
    let values = names.keys().map(|(mtu, state)| format!("mtu {mtu} state {state}")).collect();
    let fields = vec![RowField { name: "mtu and state".into(), values, spanning: true }];
    let text = format!("interfaces of pods{}", lines.collect::<String>());
    (!names.is_empty()).then(|| Row::with(text, identity("interfaces of pods", fields, false)))
}

/// Returns the words that say what kind of device it is, without the driver limits that follow.
fn kind(it: &Interface) -> String {
    let limits = it
        .kind
        .iter()
        .position(|word| word == "addrgenmode" || word == "numtxqueues" || word == "bridge_slave");
    let told = limits.unwrap_or(it.kind.len()).min(16);
    it.kind.get(..told).unwrap_or_default().join(" ")
}

/// Returns the device details to compare: without driver limits, timers, and identifiers that contain MAC addresses.
fn details(it: &Interface) -> String {
    let mut words = it.kind.iter().map(String::as_str);
    let mut told = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "numtxqueues" => break,
            "addrgenmode" | "bridge_id" | "designated_root" | "designated_bridge" => _ = words.next(),
            timer if timer.ends_with("_timer") => _ = words.next(),
            word => told.push(word),
        }
    }
    told.join(" ")
}
