//! The tool that shows an overview of the switch.

use crate::{commands, compare::OwnValues, switch};
use mcp_core::{Answer, Db, Node, ReadError, Row, RowField, RowIdentity, Tool, ToolError};
use ovn_model::switch::Switch;
use ovsdb::{Row as DbRow, Rows, Select, print};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

pub(crate) struct VsctlShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Show only this bridge.
    #[serde(default)]
    bridge: Option<String>,
}

impl Tool for VsctlShow {
    const NAME: &'static str = "ovs_vsctl_show";
    const TITLE: &'static str = "Open vSwitch overview";
    const TOOLSET: &'static str = "switch";
    const DESCRIPTION: &'static str = "Shows bridges with their ports, interfaces, tunnels and errors. Use it to check whether a port, a \
         tunnel or the uplink exists. node_name=all shows which node lacks one.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!(
            "{} show{}",
            Db::OpenVSwitch,
            params.bridge.as_ref().map(|b| format!(" {b}")).unwrap_or_default()
        )
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let mut selects = print::show_selects(print::OVS_SHOW);
        let shown = selects.len();
        selects.push(Select::from("Interface").columns(["name", "external_ids"]));
        let mut read = match node.rows(Db::OpenVSwitch, &selects).await {
            Err(absent @ ReadError::NotCollected { .. }) => return recorded(node, params, absent).await,
            read => read?,
        };
        for rows in &mut read {
            rows.rows.sort_by_cached_key(|row| (ovn_model::label(row), row.uuid));
        }
        let pods = pods(read.get(shown));
        read.truncate(shown);
        let all = table(&read, "Bridge");
        let bridges: Vec<&DbRow> = all
            .iter()
            .copied()
            .filter(|row| params.bridge.as_deref().is_none_or(|name| row.text("name") == Some(name)))
            .collect();
        if let (Some(name), true, false) = (&params.bridge, bridges.is_empty(), node.is_compared()) {
            return Err(ToolError::not_found("bridge", name, all.iter().map(|row| ovn_model::label(row))));
        }
        let mut texts: Vec<String> =
            bridges.into_iter().map(|row| print::show_row(print::OVS_SHOW, &read, row)).collect();
        if params.bridge.is_none() {
            let root = table(&read, "Open_vSwitch");
            let version = root.first().and_then(|row| row.text("ovs_version"));
            texts.extend(version.map(|version| format!("ovs_version: {version}")));
        }
        Ok(answer(node, &texts, &pods).await)
    }
}

/// Returns the answer from the texts of the bridges and of the rest of the switch.
async fn answer(node: &Node<'_>, texts: &[String], pods: &BTreeSet<String>) -> Answer {
    let rows = match node.is_compared() {
        true => texts.iter().flat_map(|text| parts(text, pods)).collect(),
        false => texts.iter().map(|text| Row::line(text.trim_end())).collect(),
    };
    let facts = OwnValues::read(node).await.facts();
    Answer { rows, if_empty: "the switch has no bridge".into(), facts, ..Answer::default() }
}

/// Returns the recorded output of `ovs-vsctl show`.
async fn recorded(node: &Node<'_>, params: &Params, absent: ReadError) -> Result<Answer, ToolError> {
    let Ok(text) = switch::recorded(node, commands::RECORDED_SHOW).await else {
        return Err(absent.into());
    };
    let mut texts: Vec<String> = Vec::new();
    // The first line is the UUID of the only row of `Open_vSwitch`.
    for line in text.lines().skip(1) {
        match texts.last_mut().filter(|_| line.starts_with("     ")) {
            Some(bridge) => *bridge += &format!("\n{}", line.strip_prefix("    ").unwrap_or(line)),
            None => texts.push(line.trim().to_owned()),
        }
    }
    if let Some(name) = &params.bridge {
        texts.retain(|text| text.lines().next() == Some(&format!("Bridge {name}")));
    }
    let switch = match node.is_compared() {
        true => switch::read(node).await.unwrap_or_default(),
        false => Switch::default(),
    };
    let of_pods = switch.bridges.values().flatten().filter(|it| it.of_pod).map(|it| it.name.clone());
    let mut answer = answer(node, &texts, &of_pods.collect()).await;
    if params.bridge.is_some() {
        answer.if_empty = "the switch has no such bridge".into();
    }
    answer.notes.push("conf.db was not collected: this is the recorded output of ovs-vsctl show".into());
    Ok(answer)
}

fn table<'a>(read: &'a [Rows], name: &str) -> Vec<&'a DbRow> {
    read.iter().filter(|rows| rows.table.name == name).flat_map(|rows| &rows.rows).collect()
}

/// Returns the names of pods' interfaces.
fn pods(interfaces: Option<&Rows>) -> BTreeSet<String> {
    let of_pod = |row: &&DbRow| row.map_get("external_ids", "sandbox").is_some();
    let rows = interfaces.into_iter().flat_map(|rows| &rows.rows);
    rows.filter(of_pod).filter_map(|row| row.text("name")).map(str::to_owned).collect()
}

/// Splits the text of a bridge, or of the rest of the switch, into parts that are compared separately: the bridge
/// without its ports, and each port with its interfaces. Every node has the same parts, except the ports of pods.
fn parts(text: &str, pods: &BTreeSet<String>) -> Vec<Row> {
    let mut parts: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match parts.last_mut().filter(|_| line.starts_with(' ') && !line.starts_with("    Port ")) {
            Some(part) => part.push(line),
            None => parts.push(vec![line]),
        }
    }
    let heading = text.lines().next().unwrap_or_default();
    parts.iter().map(|lines| part(lines, heading, pods)).collect()
}

/// Returns a part as a row whose fields are the lines of the part.
fn part(lines: &[&str], heading: &str, pods: &BTreeSet<String>) -> Row {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let first = lines.first().copied().unwrap_or_default();
    let mut fields: Vec<RowField> = Vec::new();
    let mut add = |name: &str, value: String| match fields.iter_mut().find(|field| field.name == name) {
        Some(field) => field.values.push(value),
        None => fields.push(RowField::one(name, value)),
    };
    let mut rest = lines.iter().skip(usize::from(!first.contains(": "))).peekable();
    while let Some(line) = rest.next() {
        if let Some((name, value)) = line.trim().split_once(": ") {
            add(name, value.to_owned());
            continue;
        }
        // `Interface eth0` or `Controller "tcp:…"`, with its attributes on the lines below.
        let mut block = line.trim().to_owned();
        while let Some(more) = rest.next_if(|more| depth(more) > depth(line)) {
            block += &format!(" {}", more.trim());
        }
        add(&block.split(' ').next().unwrap_or_default().to_lowercase(), block.clone());
    }
    let name = first.trim().split_once(": ").map_or(first.trim(), |(name, _)| name);
    let key = if first.starts_with(' ') { format!("{heading} {name}") } else { name.to_owned() };
    let local = name.strip_prefix("Port ").is_some_and(|port| pods.contains(port.trim_matches('"')));
    let text: Vec<&str> = lines.iter().map(|line| line.get(depth(first)..).unwrap_or(line)).collect();
    Row::with(text.join("\n"), RowIdentity { key, local, fields, ..RowIdentity::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_bridge_is_compared() {
        let text = "Bridge br-int\n    Controller \"tcp:127.0.0.1:6653\"\n        is_connected: true\n    \
                    fail_mode: secure\n    Port eth0\n        tag: 5\n        Interface eth0\n            \
                    type: system\n            error: \"could not open\"\n    Port \"53f0146acce247a\"\n        \
                    Interface \"53f0146acce247a\"\n";
        let rows = parts(text, &BTreeSet::from(["53f0146acce247a".to_owned()]));
        let told: Vec<String> = rows
            .iter()
            .map(|row| {
                let identity = row.identity.clone().unwrap();
                let fields = identity.fields.iter().map(|it| format!("{}={}", it.name, it.values.join("|")));
                format!("{} [{}] {}", identity.key, fields.collect::<Vec<_>>().join(", "), identity.local)
            })
            .collect();
        assert_eq!(
            told,
            [
                "Bridge br-int [controller=Controller \"tcp:127.0.0.1:6653\" is_connected: true, fail_mode=secure] false",
                "Bridge br-int Port eth0 [tag=5, interface=Interface eth0 type: system error: \"could not open\"] false",
                "Bridge br-int Port \"53f0146acce247a\" [interface=Interface \"53f0146acce247a\"] true",
            ]
        );
        assert_eq!(rows[1].text.lines().nth(1), Some("    tag: 5"));
        let version = &parts("ovs_version: 3.1.0", &BTreeSet::new())[0];
        assert_eq!(
            version.identity.as_ref().map(|it| (it.key.as_str(), it.fields.len())),
            Some(("ovs_version", 1))
        );
    }
}
