//! The tool `ovn_sbctl_show`: an overview of the southbound database.

use crate::compare::OwnValues;
use mcp_core::{Answer, Db, Node, Row, RowIdentity, Tool, ToolError};
use ovsdb::{Row as DbRow, Rows, print};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct SbctlShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Show only this chassis: its host name or system-id.
    #[serde(default)]
    chassis: Option<String>,
}

impl Tool for SbctlShow {
    const NAME: &'static str = "ovn_sbctl_show";
    const TITLE: &'static str = "OVN southbound overview";
    const TOOLSET: &'static str = "sb";
    const DESCRIPTION: &'static str = "Shows the chassis that a node's zone knows, like `ovn-sbctl show`: \
         host name, encapsulation and bound ports. Use it to check whether a port is bound and whether a remote \
         chassis has the right tunnel address.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("{} show{}", Db::Sb, params.chassis.as_ref().map(|c| format!(" {c}")).unwrap_or_default())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let mut read = node.rows(Db::Sb, &print::show_selects(print::OVN_SB_SHOW)).await?;
        for rows in &mut read {
            rows.rows.sort_by_cached_key(|row| (ovn_model::label(row), row.uuid));
        }
        let all: Vec<&DbRow> = chassis(&read);
        let wanted = |row: &DbRow| {
            params
                .chassis
                .as_ref()
                .is_none_or(|of| [row.text("hostname"), row.text("name")].contains(&Some(of)))
        };
        let shown: Vec<&DbRow> = all.iter().copied().filter(|row| wanted(row)).collect();
        if let (Some(of), true, false) = (&params.chassis, shown.is_empty(), node.is_compared()) {
            return Err(ToolError::not_found("chassis", of, all.iter().map(|row| ovn_model::label(row))));
        }
        let own = OwnValues::read(node).await;
        let row = |row: &DbRow| {
            let text = print::show_row(print::OVN_SB_SHOW, &read, row);
            match node.is_compared() {
                true => Row::with(text.as_str(), identity(row, &text)),
                false => Row::line(text.trim_end()),
            }
        };
        Ok(Answer {
            rows: shown.into_iter().map(row).collect(),
            if_empty: "no chassis is registered: ovn-controller has not connected to this database".into(),
            notes: Vec::new(),
            facts: own.facts(),
            ..Answer::default()
        })
    }
}

fn chassis(read: &[Rows]) -> Vec<&DbRow> {
    read.iter().filter(|rows| rows.table.name == "Chassis").flat_map(|rows| &rows.rows).collect()
}

/// Identifies a chassis for the comparison. Zones must agree on its encapsulation; bound ports differ by zone.
fn identity(row: &DbRow, text: &str) -> RowIdentity {
    let lines = text.lines().skip(1).filter(|line| !line.contains("Port_Binding ")).map(str::trim);
    let field = mcp_core::RowField {
        name: "encapsulation".into(),
        values: lines.map(str::to_owned).collect(),
        spanning: true,
    };
    // The host name of a chassis is the same in its own zone and in all other zones.
    RowIdentity {
        key: format!("Chassis {}", ovn_model::label(row)),
        fields: vec![field],
        ..RowIdentity::default()
    }
}
