//! The bridges of a node and the data that belongs to them.

use crate::commands;
use mcp_core::{Argv, CommandPlace, Db, Node, Output, ReadError, Reading, ToolError, argv::BridgeName};
use openflow::Ports;
use ovn_model::{
    switch::Switch,
    zones::{self, Zone},
};
use ovsdb::Listing;
use std::collections::BTreeMap;

/// The bridge that ovn-controller fills.
pub(crate) const INTEGRATION: &str = "br-int";

/// A bridge of a node with the names of its ports.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) name: BridgeName,
    pub(crate) ports: Ports,
    /// All bridges of the node, or `None` if neither `conf.db` nor the output of ovs-vsctl was collected.
    pub(crate) switch: Option<Switch>,
    /// The reason why ports have no names, or cut names.
    pub(crate) notes: Vec<String>,
}

/// Reads the bridges of a node. If `conf.db` was not collected, the recorded output of `ovs-vsctl` replaces it.
pub(crate) async fn read(node: &Node<'_>) -> Result<Switch, ReadError> {
    from_one_collection(node, read_from).await
}

/// Reads something that can be read in several ways from the first collection of a node that has it in any way.
pub(crate) async fn from_one_collection<T>(
    node: &Node<'_>,
    read: impl AsyncFn(&Node<'_>) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    let mut absent = None;
    for node in node.by_collection() {
        match read(&node).await {
            Err(e @ ReadError::NotCollected { .. }) => absent = Some(e),
            read => return read,
        }
    }
    Err(absent.expect("a node has a collection"))
}

async fn read_from(node: &Node<'_>) -> Result<Switch, ReadError> {
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

/// Returns the bridge of this name, or the integration bridge. Fails if the bridges of the node are known and this is
/// not one of them.
pub(crate) async fn bridge(node: &Node<'_>, name: Option<&str>) -> Result<Bridge, ToolError> {
    let asked = name.unwrap_or(INTEGRATION);
    let parsed = BridgeName::parse(asked);
    match read(node).await {
        Ok(switch) => match (parsed, switch.bridges.get(asked)) {
            (Ok(name), Some(interfaces)) => {
                let ports = ovn_model::openflow::ports(interfaces);
                match ports.is_empty() {
                    false => Ok(Bridge { name, ports, switch: Some(switch), notes: Vec::new() }),
                    true => Ok(Bridge { switch: Some(switch), ..described(node, name).await }),
                }
            }
            _ => Err(ToolError::not_found("bridge", asked, switch.bridges.into_keys())),
        },
        Err(ReadError::NotCollected { .. } | ReadError::Unreadable { .. }) => {
            let name = parsed.map_err(|e| {
                ToolError::bad(e.to_string(), "Pass the name of a bridge, such as br-int or br-ex.")
            })?;
            Ok(described(node, name).await)
        }
        Err(e) => Err(e.into()),
    }
}

/// Returns a bridge whose ports neither `conf.db` nor ovs-vsctl describes. OpenFlow gives the names of the ports.
async fn described(node: &Node<'_>, name: BridgeName) -> Bridge {
    let text = text(node, commands::ofctl(commands::BridgeDump::Ports, &name)).await.unwrap_or_default();
    let ports = Ports::described(&text);
    let note = match ports.is_empty() {
        true => "ports have no names: neither conf.db nor the output of ovs-vsctl was collected",
        false => {
            "conf.db was not collected: the names of ports come from OpenFlow, which cuts them to 15 characters"
        }
    };
    Bridge { name, ports, switch: None, notes: vec![note.into()] }
}

/// Returns the output of the first of several commands that the source has.
pub(crate) async fn text(node: &Node<'_>, forms: Vec<Argv>) -> Result<String, ReadError> {
    let what = forms.first().map(ToString::to_string).unwrap_or_default();
    let text = node.first(forms.into_iter().map(reading).collect()).await?;
    check_output(&what, text)
}

/// Returns the output of a program, unless it only says why the program failed. A report may record such a message with
/// the exit status 0.
fn check_output(what: &str, text: String) -> Result<String, ReadError> {
    /// The beginnings of messages of the programs and of what starts them.
    const PROGRAMS: [&str; 8] = [
        "ovs-appctl: ",
        "ovs-ofctl: ",
        "ovs-vsctl: ",
        "ovs-dpctl: ",
        "bash: ",
        "sh: ",
        "timeout: ",
        "nsenter: ",
    ];
    // Open vSwitch prints its log to standard error as `2026-11-22T08:00:00Z|00001|module|WARN|text`.
    let is_message = |line: &str| {
        PROGRAMS.iter().any(|program| line.starts_with(program))
            || ["|WARN|", "|ERR|", "|EMER|"].iter().any(|level| line.contains(level))
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    match lines.peek().copied() {
        Some(first) if lines.all(is_message) => Err(message(what, first)),
        _ => Ok(text),
    }
}

/// Works like [`text`], with a last form that is only read from a recording and never run.
pub(crate) async fn text_or_recorded(
    node: &Node<'_>,
    forms: Vec<Argv>,
    command: &'static str,
) -> Result<String, ReadError> {
    let mut readings: Vec<_> = forms.into_iter().map(reading).collect();
    readings.push(Reading::recorded(CommandPlace::OvsSocket, command, into_text).as_text());
    check_output(command, node.first(readings).await?)
}

/// Returns the output of a command that is only read from a recording and never run.
pub(crate) async fn recorded(node: &Node<'_>, command: &'static str) -> Result<String, ReadError> {
    text_or_recorded(node, Vec::new(), command).await
}

fn reading(argv: Argv) -> Reading<String> {
    Reading::command(CommandPlace::OvsSocket, argv, into_text).as_text()
}

/// Converts the output without a copy, unless it is not UTF-8.
pub(crate) fn into_text(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Returns the rows of a table of the switch's database from the recorded output of `ovs-vsctl list`.
pub(crate) async fn listing(node: &Node<'_>, table: &str) -> Option<Listing> {
    let text = recorded(node, commands::recorded_list(table)?).await.ok()?;
    Some(Listing::parse(Db::OpenVSwitch.name(), table, &text))
}

/// Returns the names of conntrack zones: those of ovn-controller, which are in `conf.db`, and those of
/// OVN-Kubernetes.
pub(crate) async fn zones(node: &Node<'_>) -> BTreeMap<u16, String> {
    let all: Vec<Zone> = read(node).await.unwrap_or_default().zones;
    // Without the southbound database, the UUIDs in names cannot be replaced.
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

/// Checks that a parser understood something of an output that is not empty. Otherwise the program printed a message
/// instead of its list, even if the recorded exit status is 0.
pub(crate) fn check_understood(what: &str, understood: usize, other: &[&str]) -> Result<(), ReadError> {
    match other.iter().find(|line| !line.trim().is_empty()) {
        Some(line) if understood == 0 => Err(message(what, line)),
        _ => Ok(()),
    }
}

/// Checks that an output of `ovs-ofctl` has the header of a reply, which it also prints before an empty list.
pub(crate) fn check_reply(what: &str, text: &str) -> Result<(), ReadError> {
    let is_header = |line: &str| line.contains("_REPLY") || line.contains(" reply");
    if text.lines().any(is_header) {
        return Ok(());
    }
    Err(message(what, text.lines().next().unwrap_or_default()))
}

/// Returns the error for an output that begins with this line instead of what the program should print.
fn message(what: &str, line: &str) -> ReadError {
    let line: String = line.trim().chars().take(200).collect();
    let why = if line.is_empty() { "the output is empty".into() } else { format!("the output is `{line}`") };
    ReadError::unreadable(what, why)
}

/// Returns notes about lines that a parser did not understand.
pub(crate) fn not_understood(lines: &[&str]) -> Vec<String> {
    /// The number of lines that are shown. More lines would add no information.
    const SHOWN: usize = 5;
    let mut notes: Vec<String> =
        lines.iter().take(SHOWN).map(|line| format!("line not understood: {}", line.trim())).collect();
    if lines.len() > SHOWN {
        notes.push(format!("and {} more lines were not understood", lines.len() - SHOWN));
    }
    notes
}
