//! Conntrack zones.

use crate::{commands, compare::OwnValues};
use mcp_core::{Answer, Db, Identity, Node, Output, Place, Reading, Row, Tool, ToolError};
use ovn_model::zones::{self, Zone};
use ovsdb::Select;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct CtZoneList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only this zone.
    #[serde(default)]
    #[schemars(range(min = 0, max = 65535))]
    zone: Option<u16>,
}

type Zones = (Vec<Zone>, Vec<String>);

impl Tool for CtZoneList {
    const NAME: &'static str = "ovn_controller_ct_zone_list";
    const TITLE: &'static str = "Conntrack zones of OVN";
    const TOOLSET: &'static str = "status";
    const DESCRIPTION: &'static str = "Which conntrack zone belongs to which logical port or router of a \
         node, and which share one. Use it to read `zone=` in conntrack entries and flows.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "conntrack zones".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let bridges = Select::from("Bridge").columns(["name", "external_ids"]);
        let (zones, other): Zones = node
            .first(vec![
                Reading::command(Place::OvnController, commands::ct_zone_list(), |output: Output| {
                    zones::parse_list(&String::from_utf8_lossy(&output.stdout))
                }),
                // What it wrote down to find the same zones after a restart.
                Reading::rows(Db::OpenVSwitch, bridges, |rows| zones::of_bridges(&rows)),
                // The same, as a report recorded it that lacks the database.
                Reading::command(Place::OvsSocket, commands::list_bridges(), |output: Output| {
                    zones::parse_bridges(&String::from_utf8_lossy(&output.stdout))
                }),
            ])
            .await?;
        // Without the southbound database UUIDs stay UUIDs.
        let zones = match node.rows(Db::Sb, &[zones::datapaths_select()]).await {
            Ok(datapaths) => datapaths.iter().fold(zones, zones::named),
            Err(_) => zones,
        };
        let shared = zones::shared(&zones);
        let mut notes: Vec<String> = shared
            .iter()
            .map(|(id, names)| format!("zone {id} is shared by {}", names.join(" and ")))
            .collect();
        notes.extend(other.iter().map(|line| format!("not understood: {line}")));
        let reserved = zones::RESERVED
            .iter()
            .map(|(id, use_)| Zone { id: *id, name: format!("({use_}, by OVN-Kubernetes)") });
        let all = zones.into_iter().chain(reserved);
        let line = |zone: Zone| {
            let text = format!("{:<5} {}", zone.id, zone.name);
            // Numbers are each node's own, and so are its pods: nodes differ in all of them, and that means nothing.
            let local = !zone.name.contains(node.name().as_str());
            Row::with(text, Identity { key: zone.name, local, ..Identity::default() })
        };
        Ok(Answer {
            rows: all.filter(|zone| params.zone.is_none_or(|id| id == zone.id)).map(line).collect(),
            if_empty: "no logical entity has this zone".into(),
            notes,
            // Without the northbound database the names alone are compared.
            facts: OwnValues::read(node).await.facts(),
            ..Answer::default()
        })
    }
}
