//! The overview of the switch.

use crate::{commands, compare::OwnValues, switch};
use mcp_core::{Answer, Db, Field, Identity, Node, ReadError, Row, Tool, ToolError};
use ovsdb::{Row as DbRow, Rows, Select, print};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

pub(crate) struct VsctlShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Default all.
    #[serde(default)]
    bridge: Option<String>,
}

impl Tool for VsctlShow {
    const NAME: &'static str = "ovs_vsctl_show";
    const TITLE: &'static str = "Open vSwitch overview";
    const TOOLSET: &'static str = "switch";
    const DESCRIPTION: &'static str = "Bridges with ports, interfaces, tunnels and their errors. Use it for whether a port, a \
         tunnel or the uplink is there; node_name=all shows which node lacks one.";
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
        let own = OwnValues::read(node).await;
        let row = |row: &DbRow| {
            let text = print::show_row(print::OVS_SHOW, &read, row);
            match node.is_compared() {
                true => Row::with(text.as_str(), identity(row, &read, &pods)),
                false => Row::line(text.trim_end()),
            }
        };
        let mut rows: Vec<Row> = bridges.into_iter().map(row).collect();
        if params.bridge.is_none() {
            let root = table(&read, "Open_vSwitch");
            rows.extend(root.first().and_then(|row| row.text("ovs_version")).map(|version| {
                let fields = vec![Field::one("ovs_version", version)];
                Row::with(
                    format!("ovs_version: {version}"),
                    Identity { key: "Open_vSwitch".into(), fields, ..Identity::default() },
                )
            }));
        }
        Ok(Answer {
            rows,
            if_empty: "the switch has no bridge".into(),
            notes: Vec::new(),
            facts: own.facts(),
        })
    }
}

/// What `ovs-vsctl show` printed when the node's report was made.
async fn recorded(node: &Node<'_>, params: &Params, absent: ReadError) -> Result<Answer, ToolError> {
    let Ok(text) = switch::recorded(node, commands::RECORDED_SHOW).await else {
        return Err(absent.into());
    };
    let mut rows: Vec<Row> = Vec::new();
    // The first line is the UUID of the database's one row.
    for line in text.lines().skip(1) {
        match rows.last_mut().filter(|_| line.starts_with("     ")) {
            Some(bridge) => bridge.text += &format!("\n{}", line.strip_prefix("    ").unwrap_or(line)),
            None => rows.push(Row::line(line.trim())),
        }
    }
    let of = |row: &Row, name: &str| row.text.lines().next() == Some(&format!("Bridge {name}"));
    if let Some(name) = &params.bridge {
        rows.retain(|row| of(row, name));
    }
    // Lines that other nodes have as well: its own values are replaced in them.
    Ok(Answer {
        rows,
        if_empty: "the switch has no such bridge".into(),
        notes: vec!["conf.db was not collected: this is what ovs-vsctl show printed".into()],
        facts: OwnValues::read(node).await.facts(),
    })
}

fn table<'a>(read: &'a [Rows], name: &str) -> Vec<&'a DbRow> {
    read.iter().filter(|rows| rows.table.name == name).flat_map(|rows| &rows.rows).collect()
}

/// The names of pods' interfaces.
fn pods(interfaces: Option<&Rows>) -> BTreeSet<String> {
    let of_pod = |row: &&DbRow| row.map_get("external_ids", "sandbox").is_some();
    let rows = interfaces.into_iter().flat_map(|rows| &rows.rows);
    rows.filter(of_pod).filter_map(|row| row.text("name")).map(str::to_owned).collect()
}

/// Every node has the same bridges; of their ports, all but those of pods.
fn identity(bridge: &DbRow, read: &[Rows], pods: &BTreeSet<String>) -> Identity {
    let ports: BTreeSet<_> = bridge.refs("ports").collect();
    let ports = table(read, "Port")
        .into_iter()
        .filter(|row| ports.contains(&row.uuid))
        .filter_map(|row| row.text("name"));
    let set = |column: &str| bridge.text(column).unwrap_or_default().to_owned();
    let ports = ports.filter(|port| !pods.contains(*port)).map(str::to_owned).collect();
    Identity {
        key: format!("Bridge {}", ovn_model::label(bridge)),
        fields: vec![
            Field { name: "ports".into(), values: ports, spanning: true },
            Field::one("fail_mode", set("fail_mode")),
            Field::one("datapath_type", set("datapath_type")),
        ],
        ..Identity::default()
    }
}
