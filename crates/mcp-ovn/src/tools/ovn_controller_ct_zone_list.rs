//! The tool `ovn_controller_ct_zone_list`: the conntrack zones of a node.

use crate::{commands, compare::OwnValues};
use mcp_core::{Answer, CommandPlace, Db, Node, Output, Reading, Row, RowIdentity, Tool, ToolError};
use ovn_model::zones::{self, Zone};
use ovsdb::Select;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct CtZoneList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Show only the entity that has this zone number.
    #[serde(default)]
    #[schemars(range(min = 0, max = 65535))]
    zone: Option<u16>,
}

type Zones = (Vec<Zone>, Vec<String>);

impl Tool for CtZoneList {
    const NAME: &'static str = "ovn_controller_ct_zone_list";
    const TITLE: &'static str = "OVN conntrack zones";
    const TOOLSET: &'static str = "status";
    const DESCRIPTION: &'static str = "Shows which conntrack zone ovn-controller assigned to each logical port and router \
         of a node, and flags zones that are shared. Use it to interpret `zone=` in conntrack entries and flows.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "conntrack zones".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let bridges = Select::from("Bridge").columns(["name", "external_ids"]);
        let (zones, other): Zones = node
            .first(vec![
                Reading::command(CommandPlace::OvnController, commands::ct_zone_list(), |output: Output| {
                    zones::parse_list(&String::from_utf8_lossy(&output.stdout))
                }),
                // ovn-controller stores the zones here, so that it assigns the same ones after a restart.
                Reading::rows(Db::OpenVSwitch, bridges, |rows| zones::of_bridges(&rows)),
                // Reports without the Open_vSwitch database have the same data in `ovs-vsctl list bridge`.
                Reading::command(CommandPlace::OvsSocket, commands::list_bridges(), |output: Output| {
                    zones::parse_bridges(&String::from_utf8_lossy(&output.stdout))
                }),
            ])
            .await?;
        // Without the southbound database, the answer shows UUIDs instead of datapath names.
        let zones = match node.rows(Db::Sb, &[zones::datapaths_select()]).await {
            Ok(datapaths) => datapaths.iter().fold(zones, zones::named),
            Err(_) => zones,
        };
        let shared = zones::shared(&zones);
        let mut notes: Vec<String> = shared
            .iter()
            .map(|(id, names)| format!("zone {id} is shared by {}", names.join(" and ")))
            .collect();
        if zones.is_empty() {
            notes.push(
                "no zone of a port or router was found; the rows are only the zones that OVN-Kubernetes reserves"
                    .into(),
            );
        }
        notes.extend(other.iter().map(|line| format!("cannot parse this line: {line}")));
        let reserved = zones::RESERVED
            .iter()
            .map(|(id, use_)| Zone { id: *id, name: format!("(reserved by OVN-Kubernetes: {use_})") });
        let all = zones.into_iter().chain(reserved);
        let line = |zone: Zone| {
            let text = format!("{:<5} {}", zone.id, zone.name);
            // Each node numbers its zones and runs its own pods, so these differences between nodes mean nothing.
            let local = !zone.name.contains(node.name().as_str());
            Row::with(text, RowIdentity { key: zone.name, local, ..RowIdentity::default() })
        };
        Ok(Answer {
            rows: all.filter(|zone| params.zone.is_none_or(|id| id == zone.id)).map(line).collect(),
            if_empty: "no logical port or router has this zone".into(),
            notes,
            // Without the northbound database, the comparison uses names only.
            facts: OwnValues::read(node).await.facts(),
            ..Answer::default()
        })
    }
}
