//! The switch of a node as `conf.db` describes it, and the values in it that are the node's own.

use crate::{
    compare::{NAME, Own},
    zones::{self, Zone},
};
use ovsdb::{Row, Rows, Select, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// The bridges of a node with their interfaces, and the conntrack zones that ovn-controller stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// The interfaces of each bridge.
    pub bridges: BTreeMap<String, Vec<Interface>>,
    /// The conntrack zones.
    pub zones: Vec<Zone>,
}

/// An interface of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The full name. OpenFlow cuts it to 15 characters.
    pub name: String,
    /// The OpenFlow number.
    pub ofport: Option<u16>,
    /// The logical port of the interface.
    pub iface_id: Option<String>,
    /// Whether the interface belongs to a pod.
    pub of_pod: bool,
    /// The MAC address that OVN-Kubernetes gave to the pod's interface.
    pub mac: Option<String>,
}

impl Interface {
    fn new(name: &str, ofport: Option<i64>, external_ids: &[(&str, &str)]) -> Self {
        let id =
            |key: &str| external_ids.iter().find(|(it, _)| *it == key).map(|(_, value)| (*value).to_owned());
        Self {
            name: name.to_owned(),
            ofport: ofport.and_then(|number| u16::try_from(number).ok()),
            iface_id: id("iface-id"),
            of_pod: id("sandbox").is_some(),
            mac: id("attached_mac"),
        }
    }
}

impl Switch {
    /// Returns the selects on `conf.db`.
    pub fn selects() -> Vec<Select> {
        vec![
            Select::from("Bridge").columns(["name", "ports", "external_ids"]),
            Select::from("Port").columns(["name", "interfaces"]),
            Select::from("Interface").columns(["name", "ofport", "external_ids"]),
        ]
    }

    /// Reads the switch from the rows that [`Self::selects`] selected.
    pub fn of_rows(read: &[Rows]) -> Self {
        let rows = |table: &str| read.iter().find(|rows| rows.table.name == table);
        let refs = |of: &Row, column: &str| of.refs(column).collect::<BTreeSet<Uuid>>();
        let (ports, interfaces) = (rows("Port"), rows("Interface"));
        let interface = |row: &Row| {
            let ids: Vec<(&str, &str)> = row.map("external_ids").collect();
            Some(Interface::new(row.text("name")?, row.int("ofport"), &ids))
        };
        let of_bridge = |bridge: &Row| {
            let ports = refs(bridge, "ports").into_iter().filter_map(|uuid| ports?.get(uuid));
            let rows =
                ports.flat_map(|port| refs(port, "interfaces")).filter_map(|uuid| interfaces?.get(uuid));
            (bridge.text("name").unwrap_or_default().to_owned(), rows.filter_map(interface).collect())
        };
        let bridges = rows("Bridge");
        Self {
            bridges: bridges.into_iter().flat_map(|rows| &rows.rows).map(of_bridge).collect(),
            zones: bridges.map(|rows| zones::of_bridges(rows).0).unwrap_or_default(),
        }
    }

    /// Parses the output of `ovs-vsctl show`, `list interface` and `list bridge`, for reports without the database.
    pub fn of_text(show: &str, interfaces: &str, bridges: &str) -> Self {
        let records = Record::all(interfaces);
        let interface = |name: &str| {
            let record = records.iter().find(|record| record.get("name") == Some(name));
            let ofport = record.and_then(|record| record.get("ofport")?.parse().ok());
            let ids = record.map(|record| record.map("external_ids")).unwrap_or_default();
            Interface::new(name, ofport, &ids)
        };
        let mut switch = Self::default();
        let mut bridge = None;
        for line in show.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("Bridge ") {
                bridge = Some(switch.bridges.entry(unquoted(name).to_owned()).or_default());
            } else if let (Some(name), Some(bridge)) = (line.strip_prefix("Interface "), &mut bridge) {
                bridge.push(interface(unquoted(name)));
            }
        }
        for record in Record::all(bridges) {
            let zones = record.map("external_ids").into_iter().filter_map(|(key, zone)| {
                Some(Zone { id: zone.parse().ok()?, name: key.strip_prefix("ct-zone-")?.to_owned() })
            });
            switch.zones.extend(zones);
        }
        switch.zones.sort();
        switch
    }

    /// Returns the interface of a logical port, with its bridge.
    pub fn interface_of(&self, logical_port: &str) -> Option<(&str, &Interface)> {
        let all = self.bridges.iter().flat_map(|(bridge, of)| of.iter().map(move |it| (bridge.as_str(), it)));
        all.into_iter().find(|(_, interface)| interface.iface_id.as_deref() == Some(logical_port))
    }
}

/// A record in the output of `list`: columns with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a>(pub Vec<(&'a str, &'a str)>);

impl<'a> Record<'a> {
    /// Parses all records of a list.
    pub fn all(text: &'a str) -> Vec<Self> {
        let column =
            |line: &'a str| line.split_once(':').map(|(column, value)| (column.trim(), value.trim()));
        let record = |text: &'a str| Self(text.lines().filter_map(column).collect());
        text.split("\n\n").map(record).filter(|record| !record.0.is_empty()).collect()
    }

    /// Returns the value of a column without quotes.
    pub fn get(&self, column: &str) -> Option<&'a str> {
        self.0.iter().find(|(it, _)| *it == column).map(|(_, value)| unquoted(value))
    }

    /// Returns the keys and values of a column that is a map.
    pub fn map(&self, column: &str) -> Vec<(&'a str, &'a str)> {
        let inner =
            self.get(column).and_then(|value| value.strip_prefix('{')?.strip_suffix('}')).unwrap_or_default();
        let pair = |part: &'a str| part.split_once('=').map(|(key, value)| (unquoted(key), unquoted(value)));
        openflow::tokens::split(inner).filter_map(pair).collect()
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Returns the selects on `conf.db` that give a node's own values.
pub fn own_selects() -> Vec<Select> {
    vec![
        Select::from("Open_vSwitch").columns(["external_ids"]),
        Select::from("Bridge").columns(["name", "other_config"]),
    ]
}

/// Returns the additional select on the southbound database, which gives the chassis if `conf.db` is missing.
pub fn chassis_select() -> Select {
    Select::from("Chassis").columns(["name", "hostname"])
}

/// Returns a node's own values from the rows that [`own_selects`] selected.
pub fn own(node: &str, switch: &Switch, read: &[Rows]) -> Vec<Own> {
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
        row.map_get("external_ids", "system-id").into_iter().for_each(|id| all.extend(chassis(id)));
    }
    let own_chassis = rows("Chassis").into_iter().filter(|row| row.text("hostname") == Some(node));
    own_chassis.filter_map(|row| row.text("name")).for_each(|id| all.extend(chassis(id)));
    let interfaces = switch.bridges.values().flatten().map(|interface| interface.name.as_str());
    for name in interfaces.filter(|name| name.starts_with("patch-")) {
        // `patch-br-ex_<node>-to-br-int`
        if let Some((before, after)) = name.split_once(&format!("_{node}-")) {
            all.push(own(&format!("{} patch port {after}", before.trim_start_matches("patch-")), name));
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

/// Returns the values that contain the name of a chassis: ovn-controller names the tunnels to it this way
/// (`controller/encaps.c`).
pub(crate) fn chassis(id: &str) -> impl Iterator<Item = Own> {
    let own = |kind: String, value: String| Own { kind, value, column: None };
    let short: String = id.chars().take(6).collect();
    let tunnels = (0..4).map(move |n| own(format!("tunnel {n}"), format!("ovn-{short}-{n}")));
    std::iter::once(own("system-id".into(), id.to_owned())).chain(tunnels)
}

/// Returns whether this is ovn-controller's bridge. The other bridges are external.
pub fn is_integration(bridge: &str) -> bool {
    bridge == "br-int"
}

/// Returns whether the values of this column differ between nodes by design.
pub(crate) fn differs(table: &str, column: &str) -> bool {
    match (table, column) {
        // Counters, progress, and values that the kernel or ovs-vswitchd assigns.
        (_, "statistics" | "status" | "cur_cfg" | "next_cfg" | "rstp_statistics" | "rstp_status") => true,
        ("Interface", "ofport" | "mac_in_use" | "ifindex" | "link_resets" | "cfm_fault_status") => true,
        ("Bridge", "datapath_id") | ("Open_vSwitch", "datapaths") => true,
        // The pods of this node; the rows of the ports themselves show what is missing.
        ("Bridge", "ports") | ("Datapath", "ct_zones") => true,
        _ => false,
    }
}

/// Returns whether the value of a map's key differs between nodes by design, such as a time, a zone or the name of a
/// pod.
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
        || property.starts_with("other_config:ovn-chassis-idx-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_switch_is_parsed_from_recorded_output() {
        let show = "ab5d2086\n    Bridge br-int\n        fail_mode: secure\n        Port \"53f0146acce247a\"\n            Interface \"53f0146acce247a\"\n    Bridge br-ex\n        Port eth0\n            Interface eth0\n                type: system\n    ovs_version: \"3.1.0\"\n";
        let interfaces = "_uuid               : 522af2c3-cd7d-4b88-889d-40bbbd6b363b\nexternal_ids        : {attached_mac=\"0a:58:0a:f4:00:04\", iface-id=default_client, sandbox=be88}\nname                : \"53f0146acce247a\"\nofport              : 4\n\n_uuid : 1\nname                : eth0\nofport              : 1\n";
        let bridges = "name : br-int\nexternal_ids : {ct-zone-default_client=\"19\", ovn-nb-cfg=\"2\"}\n";
        let switch = Switch::of_text(show, interfaces, bridges);
        let (bridge, interface) = switch.interface_of("default_client").unwrap();
        assert_eq!(
            (bridge, interface.name.as_str(), interface.ofport),
            ("br-int", "53f0146acce247a", Some(4))
        );
        assert!(interface.of_pod && !switch.bridges["br-ex"][0].of_pod);
        assert_eq!(switch.zones, [Zone { id: 19, name: "default_client".into() }]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(.*\n){0,4}|([a-z_]{1,8} *: [{\"a-z=, }]{0,20}\n){0,6}") {
            _ = Switch::of_text(&text, &text, &text);
        }
    }
}
