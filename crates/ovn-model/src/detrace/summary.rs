//! The summary of a row in one line.

use crate::label;
use ovsdb::{Row, print};

/// Returns the content of a row in one line with its UUID.
pub fn summary(row: &Row) -> String {
    /// The maximum length of a summary. The row of a load balancer has all its addresses.
    const LONGEST: usize = 300;
    let columns: &[&str] = match row.table.name.as_str() {
        "ACL" => &["direction", "priority", "match", "action", "tier"],
        "QoS" => &["action", "bandwidth"],
        "NAT" => &["external_port_range", "match"],
        "Logical_Router_Policy" => &["action", "nexthops", "jump_chain"],
        "Logical_Router_Static_Route" => &["bfd", "options"],
        "Load_Balancer" => &["protocol", "vips"],
        "Logical_Switch_Port" => &["type", "addresses"],
        "Logical_Router_Port" => &["mac", "networks"],
        "Port_Binding" => &["type", "tunnel_key"],
        "Multicast_Group" => &["name", "tunnel_key"],
        "MAC_Binding" | "Static_MAC_Binding" => &["mac"],
        _ => &[],
    };
    let shown = |column: &&str| {
        let datum = row.get(column)?;
        let unset = datum.is_empty() || row.text(column) == Some("");
        (!unset).then(|| format!(", {column}={}", print::cell(row, column).unwrap_or_default()))
    };
    let columns: String = columns.iter().filter_map(shown).collect();
    let columns = match columns.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", columns.get(..at).unwrap_or_default()),
        None => columns,
    };
    let name = match row.table.name.as_str() {
        "Multicast_Group" => String::new(),
        _ => format!(" {}", label(row)),
    };
    format!("{}{name} ({}){columns}", row.table.name, row.uuid)
}
