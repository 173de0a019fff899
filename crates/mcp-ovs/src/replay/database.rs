//! The private `conf.db`: the bridges and ports that were collected, with dummies for devices.
//!
//! Only what a trace needs is taken over, column by column. Mirrors, controllers, managers, sFlow targets and the options of
//! devices, some of which name files and sockets, are not among it.

use mcp_core::argv::BridgeName;
use ovn_model::switch::Record;
use ovsdb::{Atom, Datum, NewFile, Row, Rows, Schema, Select, Uuid};
use std::{collections::BTreeSet, net::IpAddr};

/// The tables that are read.
pub(super) fn selects() -> [Select; 4] {
    ["Open_vSwitch", "Bridge", "Port", "Interface"].map(Select::from)
}

/// Tunnels and patch ports are what they were; everything else is a dummy.
const KEPT: [&str; 4] = ["patch", "geneve", "vxlan", "gre"];
/// The options of tunnels and patch ports that a trace depends on.
const OPTIONS: [&str; 9] =
    ["peer", "remote_ip", "key", "in_key", "out_key", "csum", "tos", "ttl", "dst_port"];
/// From where a tunnel sends: taken over only where two tunnels differ in it alone. A switch without the system's routes
/// knows no address as its own and would refuse; without it the route says from where, which is the same.
const LOCAL: &str = "local_ip";

/// What was collected of a switch's database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) bridges: Vec<Bridge>,
    /// Open vSwitch's version when it was collected.
    pub(super) version: Option<String>,
}

/// A bridge. One with a name that no bridge can have is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bridge {
    pub(super) name: BridgeName,
    datapath: String,
    mac: Option<String>,
    ports: Vec<Port>,
}

/// A port, which is several interfaces if it is a bond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Port {
    name: String,
    vlan: Option<i64>,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Interface {
    name: String,
    kind: String,
    ofport: Option<i64>,
    options: Vec<(String, String)>,
}

impl Bridge {
    fn new(name: &str) -> Option<Self> {
        let name = BridgeName::parse(name).ok()?;
        Some(Self { name, datapath: String::new(), mac: None, ports: Vec::new() })
    }

    /// The name of a port: of an OpenFlow number, or `LOCAL`.
    pub(super) fn port(&self, number: &str) -> Option<&str> {
        if number == "LOCAL" {
            return Some(self.name.as_str());
        }
        let mut all = self.ports.iter().flat_map(|port| &port.interfaces);
        let found = all.find(|it| it.ofport.is_some_and(|ofport| number.parse() == Ok(ofport)));
        found.map(|interface| interface.name.as_str())
    }
}

impl Recorded {
    /// Of the rows of [`selects`].
    pub(super) fn of_rows(rows: &[Rows]) -> Self {
        let [switch, bridges, ports, interfaces] = rows else { return Self::default() };
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let interface = |row: &Row| Interface {
            name: owned(row.text("name")),
            kind: owned(row.text("type")),
            ofport: row.int("ofport"),
            options: row.map("options").map(|(key, value)| (key.into(), value.into())).collect(),
        };
        let port = |row: &Row| Port {
            name: owned(row.text("name")),
            vlan: row.int("tag"),
            interfaces: row.refs("interfaces").filter_map(|it| interfaces.get(it)).map(interface).collect(),
        };
        let bridge = |row: &Row| {
            Some(Bridge {
                datapath: owned(row.text("datapath_type")),
                mac: row.map_get("other_config", "hwaddr").map(str::to_owned),
                ports: row.refs("ports").filter_map(|it| ports.get(it)).map(port).collect(),
                ..Bridge::new(row.text("name")?)?
            })
        };
        Self {
            bridges: bridges.rows.iter().filter_map(bridge).collect(),
            version: switch.rows.first().and_then(|row| row.text("ovs_version")).map(str::to_owned),
        }
    }

    /// Of what `ovs-vsctl show`, `list interface` and `list bridge` printed.
    pub(super) fn of_text(show: &str, interfaces: &str, bridges: &str) -> Self {
        let (interfaces, bridges) = (Record::all(interfaces), Record::all(bridges));
        let of = |records: &[Record<'_>], name: &str, column: &str| {
            let record = records.iter().find(|record| record.get("name") == Some(name))?;
            record.get(column).map(str::to_owned)
        };
        let mut recorded = Self::default();
        let mut bridge: Option<Bridge> = None;
        for line in show.lines() {
            let (key, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let name = value.trim_matches('"');
            let ports = bridge.as_mut().map(|bridge| &mut bridge.ports);
            let last = ports.and_then(|ports| ports.last_mut());
            match (key, last) {
                ("Bridge", _) => {
                    recorded.bridges.extend(bridge.take());
                    let mac = bridges.iter().find(|record| record.get("name") == Some(name)).and_then(|it| {
                        it.map("other_config")
                            .into_iter()
                            .find(|(key, _)| *key == "hwaddr")
                            .map(|(_, mac)| mac.to_owned())
                    });
                    bridge = Bridge::new(name).map(|new| Bridge { mac, ..new });
                }
                ("Port", _) => {
                    if let Some(bridge) = &mut bridge {
                        bridge.ports.push(Port { name: name.into(), ..Port::default() });
                    }
                }
                ("datapath_type:", None) => {
                    if let Some(bridge) = &mut bridge {
                        bridge.datapath = name.into();
                    }
                }
                ("tag:", Some(port)) => port.vlan = value.parse().ok(),
                ("Interface", Some(port)) => port.interfaces.push(Interface {
                    name: name.into(),
                    ofport: of(&interfaces, name, "ofport").and_then(|number| number.parse().ok()),
                    ..Interface::default()
                }),
                ("type:", Some(port)) => {
                    if let Some(interface) = port.interfaces.last_mut() {
                        interface.kind = name.into();
                    }
                }
                ("options:", Some(port)) => {
                    if let Some(interface) = port.interfaces.last_mut() {
                        let pairs = Record(vec![("options", value)]);
                        let pairs = pairs.map("options").into_iter();
                        interface.options = pairs.map(|(key, value)| (key.into(), value.into())).collect();
                    }
                }
                ("ovs_version:", _) => recorded.version = Some(name.into()),
                _ => {}
            }
        }
        recorded.bridges.extend(bridge);
        recorded
    }

    /// Is the datapath the kernel's?
    pub(super) fn is_kernel(&self) -> bool {
        self.bridges.iter().all(|bridge| bridge.datapath != "netdev")
    }

    /// The other ends of tunnels.
    pub(super) fn remotes(&self) -> Vec<IpAddr> {
        let ports = self.bridges.iter().flat_map(|bridge| &bridge.ports);
        let options = ports.flat_map(|port| &port.interfaces).flat_map(|interface| &interface.options);
        options.filter(|(key, _)| key == "remote_ip").filter_map(|(_, value)| value.parse().ok()).collect()
    }

    /// The private database.
    pub(super) fn private(&self, schema: &Schema) -> Vec<u8> {
        let remotes = self.remotes();
        let distinct = remotes.iter().collect::<BTreeSet<_>>().len() == remotes.len();
        let mut made = 0u128;
        // Nobody ever asks for them.
        let mut uuid = || {
            made += 1;
            Uuid::from_bytes(made.to_be_bytes())
        };
        let (mut bridges, mut ports, mut interfaces) = (Vec::new(), Vec::new(), Vec::new());
        for bridge in &self.bridges {
            let mut of_bridge = Vec::new();
            for port in &bridge.ports {
                let mut of_port = Vec::new();
                for interface in &port.interfaces {
                    let id = uuid();
                    of_port.push(Atom::from(id));
                    interfaces.push((id, interface.columns(bridge.name.as_str(), distinct)));
                }
                let id = uuid();
                of_bridge.push(Atom::from(id));
                let mut columns =
                    vec![("name", Datum::scalar(port.name.as_str())), ("interfaces", Datum::set(of_port))];
                columns.extend(port.vlan.map(|tag| ("tag", Datum::scalar(tag))));
                ports.push((id, columns));
            }
            let mac = bridge.mac.as_deref().map(|mac| (Atom::from("hwaddr"), Atom::from(mac)));
            let columns = [
                ("name", Datum::scalar(bridge.name.as_str())),
                ("ports", Datum::set(of_bridge)),
                ("datapath_type", Datum::scalar("dummy")),
                // Without a controller: no flows but those that were recorded.
                ("fail_mode", Datum::scalar("secure")),
                ("other_config", Datum::map(mac)),
            ];
            bridges.push((uuid(), columns));
        }
        let all = Datum::set(bridges.iter().map(|(id, _)| Atom::from(*id)));
        let mut file = NewFile::new(schema);
        file.table("Open_vSwitch", [(uuid(), [("bridges", all)])]);
        file.table("Bridge", bridges);
        file.table("Port", ports);
        file.table("Interface", interfaces);
        file.into_bytes()
    }
}

impl Interface {
    fn columns(&self, bridge: &str, distinct: bool) -> Vec<(&'static str, Datum)> {
        let own = self.name == bridge;
        let kept = KEPT.contains(&self.kind.as_str());
        let kind = match kept {
            true => self.kind.as_str(),
            false if own => "internal",
            false => "dummy",
        };
        let mut columns = vec![("name", Datum::scalar(self.name.as_str())), ("type", Datum::scalar(kind))];
        if kept {
            let taken = |key: &str| OPTIONS.contains(&key) || (key == LOCAL && !distinct);
            let options = self.options.iter().filter(|(key, _)| taken(key));
            let pairs = options.map(|(key, value)| (Atom::from(key.as_str()), Atom::from(value.as_str())));
            columns.push(("options", Datum::map(pairs)));
        }
        if let Some(number) = self.ofport.filter(|number| !own && *number > 0) {
            columns.push(("ofport_request", Datum::scalar(number)));
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_of_what_was_printed() {
        let show = "5c147122-c914-4e61-a0e8-6a28099a87ab\n    Bridge br-int\n        fail_mode: secure\n        datapath_type: netdev\n        Port \"3ea5e92732a97a8\"\n            tag: 7\n            Interface \"3ea5e92732a97a8\"\n        Port ovn-ac4d40-0\n            Interface ovn-ac4d40-0\n                type: geneve\n                options: {csum=\"true\", key=flow, local_ip=\"172.18.0.3\", remote_ip=\"172.18.0.2\"}\n        Port br-int\n            Interface br-int\n                type: internal\n    ovs_version: \"4.0.0\"\n";
        let interfaces = "name                : \"3ea5e92732a97a8\"\nofport              : 5\n\nname                : ovn-ac4d40-0\nofport              : 2\n";
        let bridges = "name                : br-int\nother_config        : {hwaddr=\"0a:58:0a:f4:00:01\"}\n";
        let recorded = Recorded::of_text(show, interfaces, bridges);
        let [bridge] = recorded.bridges.as_slice() else { panic!("{recorded:?}") };
        assert_eq!((bridge.name.as_str(), bridge.mac.as_deref()), ("br-int", Some("0a:58:0a:f4:00:01")));
        assert_eq!(bridge.port("5"), Some("3ea5e92732a97a8"));
        assert_eq!((bridge.port("2"), bridge.port("LOCAL")), (Some("ovn-ac4d40-0"), Some("br-int")));
        assert_eq!(bridge.ports.first().and_then(|port| port.vlan), Some(7));
        assert_eq!(recorded.remotes(), ["172.18.0.2".parse::<IpAddr>().unwrap()]);
        assert_eq!(recorded.version.as_deref(), Some("4.0.0"));
        assert!(!recorded.is_kernel());
    }
}
