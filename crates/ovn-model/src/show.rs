//! The overview of a northbound database, as `ovn-nbctl show` (ovn-nbctl(8)) prints it, but in a stable order: by
//! name, then UUID. (The client prints in the order of its hash tables.)

use ovsdb::{Row, Rows, Select, Uuid};
use std::fmt::Write;

/// Returns the selects for the overview.
pub fn selects() -> Vec<Select> {
    vec![
        Select::from("Logical_Switch").columns(["name", "external_ids", "ports"]),
        Select::from("Logical_Switch_Port").columns([
            "name",
            "external_ids",
            "parent_name",
            "tag",
            "type",
            "addresses",
            "options",
        ]),
        Select::from("Logical_Router").columns(["name", "external_ids", "ports", "nat"]),
        Select::from("Logical_Router_Port").columns(["name", "mac", "networks", "gateway_chassis"]),
        Select::from("NAT").columns(["external_ip", "external_port_range", "logical_ip", "type"]),
        Select::from("Gateway_Chassis").columns(["chassis_name", "priority"]),
    ]
}

/// A switch or router with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The kind: `switch` or `router`.
    pub kind: &'static str,
    /// The name of the switch or router.
    pub name: String,
    /// The UUID of its row.
    pub uuid: Uuid,
    /// The lines as the client prints them.
    pub text: String,
    /// The lines of each port and NAT, by name: `port tstor-ovn-worker`.
    pub parts: Vec<(String, String)>,
}

/// Returns the switches, then the routers, from the rows that [`selects`] selected.
pub fn show(read: &[Rows]) -> Vec<Shown> {
    let tables = Tables(read);
    let mut shown: Vec<Shown> = tables.rows("Logical_Switch").iter().map(|row| tables.switch(row)).collect();
    shown.extend(tables.rows("Logical_Router").iter().map(|row| tables.router(row)));
    shown.sort_by(|a, b| (b.kind, &a.name, a.uuid).cmp(&(a.kind, &b.name, b.uuid)));
    shown
}

struct Tables<'a>(&'a [Rows]);

impl<'a> Tables<'a> {
    fn rows(&self, table: &str) -> &'a [Row] {
        self.0.iter().find(|rows| rows.table.name == table).map_or(&[], |rows| &rows.rows)
    }

    /// Returns the rows that a column refers to, by name.
    fn referred(&self, row: &'a Row, column: &str, table: &str) -> Vec<&'a Row> {
        let find = |uuid| self.0.iter().find(|rows| rows.table.name == table)?.get(uuid);
        let mut rows: Vec<&Row> = row.refs(column).filter_map(find).collect();
        rows.sort_by_key(|row| (row.text("name"), row.uuid));
        rows
    }

    fn switch(&self, row: &'a Row) -> Shown {
        let ports = self.referred(row, "ports", "Logical_Switch_Port").into_iter();
        shown("switch", row, ports.map(|port| (format!("port {}", name(port)), switch_port(port))).collect())
    }

    fn router(&self, row: &'a Row) -> Shown {
        let ports = self.referred(row, "ports", "Logical_Router_Port").into_iter();
        let mut parts: Vec<_> =
            ports.map(|port| (format!("port {}", name(port)), self.router_port(port))).collect();
        for nat in self.referred(row, "nat", "NAT") {
            let text = |column| nat.text(column).unwrap_or_default();
            let key = format!("nat {} {} {}", text("type"), text("external_ip"), text("logical_ip"));
            parts.push((key, nat_lines(nat)));
        }
        shown("router", row, parts)
    }

    fn router_port(&self, port: &'a Row) -> String {
        let mut text = format!("    port {}\n", name(port));
        if let Some(mac) = port.text("mac") {
            _ = writeln!(text, "        mac: \"{mac}\"");
            if let Some(address) = link_local(mac) {
                _ = writeln!(text, "        ipv6-lla: \"{address}\"");
            }
        }
        if let Some(networks) = list(port.strings("networks")) {
            _ = writeln!(text, "        networks: {networks}");
        }
        let mut chassis = self.referred(port, "gateway_chassis", "Gateway_Chassis");
        chassis.sort_by_key(|c| (std::cmp::Reverse(c.int("priority")), c.text("chassis_name")));
        if !chassis.is_empty() {
            let names: Vec<&str> = chassis.iter().filter_map(|c| c.text("chassis_name")).collect();
            _ = writeln!(text, "        gateway chassis: [{}]", names.join(", "));
        }
        text
    }
}

fn shown(kind: &'static str, row: &Row, parts: Vec<(String, String)>) -> Shown {
    let mut text = format!("{kind} {} ({})", row.uuid, name(row));
    // Neutron sets these names, and OVN-Kubernetes does not.
    let aka = row
        .map_get("external_ids", "neutron:network_name")
        .or(row.map_get("external_ids", "neutron:router_name"));
    if let Some(aka) = aka {
        _ = write!(text, " (aka {aka})");
    }
    text.push('\n');
    text.extend(parts.iter().map(|(_, text)| text.as_str()));
    Shown { kind, name: name(row).into(), uuid: row.uuid, text, parts }
}

fn switch_port(port: &Row) -> String {
    let mut text = format!("    port {}", name(port));
    if let Some(aka) = port.map_get("external_ids", "neutron:port_name") {
        _ = write!(text, " (aka {aka})");
    }
    text.push('\n');
    if let Some(parent) = port.text("parent_name").filter(|parent| !parent.is_empty()) {
        _ = writeln!(text, "        parent: {parent}");
    }
    if let Some(tag) = port.int("tag") {
        _ = writeln!(text, "        tag: {tag}");
    }
    if let Some(kind) = port.text("type").filter(|kind| !kind.is_empty()) {
        _ = writeln!(text, "        type: {kind}");
    }
    // `router` stands for the addresses of the router's port, which the next line names.
    if let Some(addresses) = list(port.strings("addresses").filter(|address| *address != "router")) {
        _ = writeln!(text, "        addresses: {addresses}");
    }
    if let Some(peer) = port.map_get("options", "router-port") {
        _ = writeln!(text, "        router-port: {peer}");
    }
    text
}

fn nat_lines(nat: &Row) -> String {
    let text = |column| nat.text(column).unwrap_or_default();
    let mut lines = format!("    nat {}\n        external ip: \"{}\"\n", nat.uuid, text("external_ip"));
    if !text("external_port_range").is_empty() {
        _ = writeln!(lines, "        external port(s): \"{}\"", text("external_port_range"));
    }
    _ = writeln!(lines, "        logical ip: \"{}\"\n        type: \"{}\"", text("logical_ip"), text("type"));
    lines
}

fn name(row: &Row) -> &str {
    row.text("name").unwrap_or_default()
}

/// Returns `["a", "b"]`, or `None` if there is no value.
fn list<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    let values: Vec<String> = values.map(|value| format!("\"{value}\"")).collect();
    (!values.is_empty()).then(|| format!("[{}]", values.join(", ")))
}

/// Returns the IPv6 link-local address of a MAC address (RFC 4291 appendix A).
pub(crate) fn link_local(mac: &str) -> Option<std::net::Ipv6Addr> {
    let octets: Vec<u16> =
        mac.split(':').map(|octet| u16::from_str_radix(octet, 16)).collect::<Result<_, _>>().ok()?;
    let [a, b, c, d, e, f] = octets.try_into().ok()?;
    let word = |high: u16, low: u16| high << 8 | low;
    Some(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f)))
}
