//! The tool `ipsec_show`: the state and configuration of libreswan.

use crate::{
    commands::{self, ALLOW},
    compare::{self, identity},
    output::text,
    secrets,
};
use mcp_core::{Answer, CommandPlace, Db, Fact, Node, Output, Reading, Row, Tool, ToolError, argv};
use ovsdb::Select;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct IpsecShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// What to show. Default: traffic.
    #[serde(default)]
    what: What,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum What {
    #[default]
    Traffic,
    Brief,
    States,
    Status,
    Config,
}

impl Tool for IpsecShow {
    const NAME: &'static str = "ipsec_show";
    const TITLE: &'static str = "libreswan";
    const TOOLSET: &'static str = "ipsec";
    const DESCRIPTION: &'static str = "Shows the status, the states, the traffic counters or the \
         configuration of libreswan's IPsec tunnels.";
    type Params = Params;

    fn title(params: &Params) -> String {
        let what = match params.what {
            What::Traffic => "traffic",
            What::Brief => "brief status",
            What::States => "states",
            What::Status => "status",
            What::Config => "configuration",
        };
        format!("libreswan {what}")
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let lines = |output: Output| -> Vec<String> { text(&output).lines().map(str::to_owned).collect() };
        let readings = match params.what {
            What::Traffic => {
                vec![Reading::command(CommandPlace::Host, argv!(ALLOW: "ipsec", "trafficstatus"), lines)]
            }
            What::Brief => {
                vec![Reading::command(CommandPlace::Host, argv!(ALLOW: "ipsec", "briefstatus"), lines)]
            }
            What::States => {
                vec![Reading::command(CommandPlace::Host, argv!(ALLOW: "ipsec", "showstates"), lines)]
            }
            What::Status => vec![
                Reading::command(CommandPlace::Host, argv!(ALLOW: "ipsec", "status"), lines),
                Reading::recorded(CommandPlace::Host, "ipsec whack --status", lines),
            ],
            What::Config => {
                commands::ipsec_files().map(|file| Reading::command(CommandPlace::Host, file, lines)).into()
            }
        };
        let lines: Vec<String> = node.first(readings).await?;
        let config = params.what == What::Config;
        let shown = lines.iter().map(|line| secrets::without_passwords(line));
        let shown = shown.filter(|line| !matches!(line.trim(), "" | "000"));
        Ok(Answer {
            rows: shown.map(|line| Row::with(line.clone(), identity(line, Vec::new(), !config))).collect(),
            if_empty: "libreswan answered with an empty list".into(),
            notes: Vec::new(),
            facts: compare::facts(node).await.into_iter().chain(tunnels(node).await).collect(),
            ..Answer::default()
        })
    }
}

/// Returns the names that peers give their connections to this node. They contain its chassis name: `ovn-3c9f7a-0-in-1`
/// (ovs-monitor-ipsec, from the names that ovn-controller gives tunnels).
async fn tunnels(node: &Node<'_>) -> Vec<Fact> {
    if !node.is_compared() {
        return Vec::new();
    }
    let select = Select::from("Open_vSwitch").columns(["external_ids"]);
    let read = node.rows(Db::OpenVSwitch, &[select]).await.unwrap_or_default();
    let row = read.first().and_then(|rows| rows.rows.first());
    let chassis = row.and_then(|row| row.map_get("external_ids", "system-id")).and_then(|id| id.get(..6));
    let fact = |chassis: &str, way: &str| Fact {
        kind: format!("tunnel {way}"),
        value: format!("ovn-{chassis}-0-{way}-1"),
        field: None,
    };
    chassis.into_iter().flat_map(|chassis| ["in", "out"].map(|way| fact(chassis, way))).collect()
}
