//! The switch of a node: what its `conf.db` tells, and what of it is the node's own.

use crate::compare::{NAME, Own};
use ovsdb::{Row, Rows, Select};

/// What has to be read of `conf.db` to know what is a node's own.
pub fn own_selects() -> Vec<Select> {
    vec![
        Select::from("Open_vSwitch").columns(["external_ids"]),
        Select::from("Bridge").columns(["name", "other_config"]),
        Select::from("Interface").columns(["name", "external_ids"]),
    ]
}

/// A node's own values, from what [`own_selects`] asked for.
pub fn own(node: &str, read: &[Rows]) -> Vec<Own> {
    let rows = |table: &str| {
        let rows = read.iter().filter(|rows| rows.table.name == table).flat_map(|rows| &rows.rows);
        rows.collect::<Vec<&Row>>()
    };
    let own = |kind: &str, value: &str| Own { kind: kind.into(), value: value.into(), column: None };
    let mut all = vec![own(NAME, node)];
    for row in rows("Open_vSwitch") {
        for address in row.map_get("external_ids", "ovn-encap-ip").into_iter().flat_map(|all| all.split(','))
        {
            all.push(own("encapsulation address", address.trim()));
        }
        if let Some(id) = row.map_get("external_ids", "system-id") {
            all.push(own("system-id", id));
            // ovn-controller names the tunnels to a chassis after it (`controller/encaps.c`).
            let short: String = id.chars().take(6).collect();
            all.extend((0..4).map(|n| own(&format!("tunnel {n}"), &format!("ovn-{short}-{n}"))));
        }
    }
    for row in rows("Bridge") {
        if let (Some(name), Some(mac)) = (row.text("name"), row.map_get("other_config", "hwaddr")) {
            all.push(own(&format!("{name} MAC"), mac));
        }
    }
    all.retain(|own| !own.value.is_empty());
    all
}

/// The external bridges: those that are no integration bridge.
pub fn is_integration(bridge: &str) -> bool {
    bridge == "br-int"
}

/// Is this column's value a node's own affair?
pub(crate) fn differs(table: &str, column: &str) -> bool {
    match (table, column) {
        // Counters, progress, and what the kernel or ovs-vswitchd gives out.
        (_, "statistics" | "status" | "cur_cfg" | "next_cfg" | "rstp_statistics" | "rstp_status") => true,
        ("Interface", "ofport" | "mac_in_use" | "ifindex" | "link_resets" | "cfm_fault_status") => true,
        ("Bridge", "datapath_id") => true,
        // Which pods are here; the ports themselves tell what is missing.
        ("Bridge", "ports") | ("Datapath", "ct_zones") => true,
        _ => false,
    }
}

/// A key of a map whose value is a node's own affair: when something was made, which zone it got, which pod it is for.
pub(crate) fn own_affair(property: &str) -> bool {
    matches!(
        property,
        "external_ids:ovn-installed-ts"
            | "external_ids:iface-id-ver"
            | "external_ids:attached_mac"
            | "external_ids:ip_addresses"
            | "external_ids:sandbox"
            | "external_ids:boot_time"
    ) || property.starts_with("external_ids:ct-zone-")
        || property.starts_with("external_ids:ovn-startup-ts")
        || property.starts_with("external_ids:ovn-nb-cfg")
}

/// The interface of a logical port, from rows of `Interface` with `name`, `ofport` and `external_ids`: its name and
/// number.
pub fn interface_of<'a>(interfaces: &'a Rows, logical_port: &str) -> Option<(&'a str, u16)> {
    let row =
        interfaces.rows.iter().find(|row| row.map_get("external_ids", "iface-id") == Some(logical_port))?;
    Some((row.text("name")?, u16::try_from(row.int("ofport")?).ok()?))
}
