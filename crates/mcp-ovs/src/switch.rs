//! The bridges of a node, and what is read of them.

use crate::commands;
use mcp_core::{Argv, Db, Node, Output, Place, ReadError, Reading, ToolError, argv::BridgeName};
use openflow::Ports;
use ovn_model::{
    switch::Switch,
    zones::{self, Zone},
};
use ovsdb::Listing;
use std::collections::BTreeMap;

/// The bridge that ovn-controller fills.
const INTEGRATION: &str = "br-int";

/// A bridge of a node.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) name: BridgeName,
    pub(crate) ports: Ports,
    /// Why ports have no names, if they have none.
    pub(crate) notes: Vec<String>,
}

/// The bridges of a node. Where `conf.db` was not collected, what `ovs-vsctl` printed when the report was made.
pub(crate) async fn read(node: &Node<'_>) -> Result<Switch, ReadError> {
    let absent = match node.rows(Db::OpenVSwitch, &Switch::selects()).await {
        Ok(rows) => return Ok(Switch::of_rows(&rows)),
        Err(e @ (ReadError::NotCollected { .. } | ReadError::Unreadable { .. })) => e,
        Err(e) => return Err(e),
    };
    let Ok(show) = recorded(node, commands::RECORDED_SHOW).await else { return Err(absent) };
    let mut lists = Vec::new();
    for list in ["Interface", "Bridge"].into_iter().filter_map(commands::recorded_list) {
        lists.push(recorded(node, list).await.unwrap_or_default());
    }
    Ok(Switch::of_text(
        &show,
        lists.first().map_or("", String::as_str),
        lists.last().map_or("", String::as_str),
    ))
}

/// The bridge of this name, or the integration bridge. It is checked against those that the node has, where that is
/// known.
pub(crate) async fn bridge(node: &Node<'_>, name: Option<&str>) -> Result<Bridge, ToolError> {
    let asked = name.unwrap_or(INTEGRATION);
    let parsed = BridgeName::parse(asked);
    match read(node).await {
        Ok(switch) => match (parsed, switch.bridges.get(asked)) {
            (Ok(name), Some(interfaces)) => {
                let ports = ovn_model::openflow::ports(interfaces);
                match ports.is_empty() {
                    false => Ok(Bridge { name, ports, notes: Vec::new() }),
                    true => Ok(described(node, name).await),
                }
            }
            _ => Err(ToolError::not_found("bridge", asked, switch.bridges.into_keys())),
        },
        Err(ReadError::NotCollected { .. } | ReadError::Unreadable { .. }) => {
            let name =
                parsed.map_err(|e| ToolError::bad(e.to_string(), "Bridges are called br-int, br-ex."))?;
            Ok(described(node, name).await)
        }
        Err(e) => Err(e.into()),
    }
}

/// A bridge of which neither `conf.db` nor ovs-vsctl tells the ports: by what OpenFlow says of them.
async fn described(node: &Node<'_>, name: BridgeName) -> Bridge {
    let text = text(node, commands::ofctl(commands::Asked::Ports, &name)).await.unwrap_or_default();
    let ports = Ports::described(&text);
    let note = match ports.is_empty() {
        true => "ports have no names: conf.db was not collected, nor what ovs-vsctl shows of it",
        false => "names of ports are those of OpenFlow, cut to 15 characters: conf.db was not collected",
    };
    Bridge { name, ports, notes: vec![note.into()] }
}

/// The output of the first of several commands that the source has.
pub(crate) async fn text(node: &Node<'_>, forms: Vec<Argv>) -> Result<String, ReadError> {
    node.first(forms.into_iter().map(reading).collect()).await
}

/// As [`text`], with a last form that is read where it was recorded and never run.
pub(crate) async fn text_or_recorded(
    node: &Node<'_>,
    forms: Vec<Argv>,
    command: &'static str,
) -> Result<String, ReadError> {
    let mut readings: Vec<_> = forms.into_iter().map(reading).collect();
    readings.push(Reading::recorded(Place::OvsSocket, command, into_text));
    node.first(readings).await
}

/// The output of a command that is read where it was recorded and never run.
pub(crate) async fn recorded(node: &Node<'_>, command: &'static str) -> Result<String, ReadError> {
    text_or_recorded(node, Vec::new(), command).await
}

fn reading(argv: Argv) -> Reading<String> {
    Reading::command(Place::OvsSocket, argv, into_text)
}

/// Without a copy, unless it is no UTF-8.
fn into_text(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The rows of a table of the switch's database, as `ovs-vsctl list` printed them when the report was made.
pub(crate) async fn listing(node: &Node<'_>, table: &str) -> Option<Listing> {
    let text = recorded(node, commands::recorded_list(table)?).await.ok()?;
    Some(Listing::parse(Db::OpenVSwitch.name(), table, &text))
}

/// The conntrack zones that have names: ovn-controller's, which it keeps in `conf.db`, and OVN-Kubernetes' own.
pub(crate) async fn zones(node: &Node<'_>) -> BTreeMap<u16, String> {
    let all: Vec<Zone> = read(node).await.unwrap_or_default().zones;
    // Without the southbound database UUIDs stay UUIDs.
    let datapaths = node.rows(Db::Sb, &[zones::datapaths_select()]).await.unwrap_or_default();
    let all = datapaths.iter().fold(all, zones::named);
    let mut names: BTreeMap<u16, String> = BTreeMap::new();
    let reserved = zones::RESERVED.iter().map(|(id, use_)| Zone { id: *id, name: (*use_).to_owned() });
    for zone in all.into_iter().chain(reserved) {
        let name = names.entry(zone.id).or_default();
        *name += if name.is_empty() { "" } else { " and " };
        *name += &zone.name;
    }
    names
}

/// Lines that a parser did not understand, as notes.
pub(crate) fn not_understood(lines: &[&str]) -> Vec<String> {
    /// More show nothing more.
    const SHOWN: usize = 5;
    let mut notes: Vec<String> =
        lines.iter().take(SHOWN).map(|line| format!("not understood: {}", line.trim())).collect();
    if lines.len() > SHOWN {
        notes.push(format!("and {} more lines were not understood", lines.len() - SHOWN));
    }
    notes
}
