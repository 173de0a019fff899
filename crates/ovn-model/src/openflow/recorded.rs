//! The bridges of a node with all data that the evaluation of flows needs, from `conf.db` or from the output of
//! `ovs-vsctl`.

use crate::switch::Record;
use openflow::{PortKind, Tunnel, TunnelKind, VlanMode, Vlans};
use ovsdb::{Atom, Datum, Row, Rows, Select};
use std::{collections::BTreeMap, net::IpAddr};

/// The recorded content of a switch's database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedBridges {
    /// The bridges by name.
    pub bridges: BTreeMap<String, Bridge>,
    /// The version of Open vSwitch at the time of the recording.
    pub version: Option<String>,
}

/// A bridge of the switch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bridge {
    /// The type of the datapath: `netdev`, or `system` or empty for the kernel's datapath.
    pub datapath: String,
    /// The MAC address in the configuration.
    pub mac: Option<String>,
    /// The ports of the bridge.
    pub ports: Vec<Port>,
    /// Whether the bridge copies packets to mirrors.
    pub is_mirrored: bool,
}

/// A port of a bridge. A bond is a port with several interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// The name of the port.
    pub name: String,
    /// The VLANs that `NORMAL` forwards through the port.
    pub vlans: Vlans,
    /// The interfaces of the port.
    pub interfaces: Vec<Interface>,
}

/// An interface of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The name of the interface.
    pub name: String,
    /// The type; empty for a device of the system.
    pub kind: String,
    /// The OpenFlow number.
    pub ofport: Option<u16>,
    /// The options of the interface.
    pub options: BTreeMap<String, String>,
}

/// The types of tunnel interfaces that are not evaluated (`ovs-vswitchd.conf.db(5)`, "Interface", `type`).
const OTHER_TUNNELS: [&str; 9] =
    ["gre", "ip6gre", "stt", "lisp", "erspan", "ip6erspan", "gtpu", "bareudp", "srv6"];

impl Interface {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    fn port_kind(&self) -> PortKind {
        let tunnel = match self.kind.as_str() {
            "geneve" => Some(TunnelKind::Geneve),
            "vxlan" => Some(TunnelKind::Vxlan),
            kind => OTHER_TUNNELS.contains(&kind).then_some(TunnelKind::Other),
        };
        match (self.option("peer"), tunnel) {
            (Some(peer), _) if self.kind == "patch" => PortKind::Patch(peer.to_owned()),
            (_, Some(kind)) => PortKind::Tunnel(Tunnel {
                kind,
                remote: self.option("remote_ip").and_then(|ip| ip.parse().ok()),
                local: self.option("local_ip").and_then(|ip| ip.parse().ok()),
                checksum: self.option("csum") == Some("true"),
            }),
            _ => PortKind::Plain,
        }
    }
}

impl Bridge {
    /// Returns the ports by their OpenFlow numbers, in the types of the crate `openflow`.
    pub fn openflow_ports(&self, name: &str) -> BTreeMap<u16, openflow::Port> {
        let of_port = |port: &Port| {
            let bond = (port.interfaces.len() > 1).then(|| port.name.clone());
            let of = |interface: &Interface| {
                let number = interface.ofport.or((interface.name == name).then_some(LOCAL))?;
                let kind = interface.port_kind();
                let (name, vlans, bond) = (interface.name.clone(), port.vlans.clone(), bond.clone());
                Some((number, openflow::Port { name, kind, vlans, bond }))
            };
            port.interfaces.iter().filter_map(of).collect::<Vec<_>>()
        };
        self.ports.iter().flat_map(of_port).collect()
    }
}

/// The number of a bridge's own port (`OFPP_LOCAL`).
const LOCAL: u16 = 65534;

impl RecordedBridges {
    /// Returns the selects on `conf.db`.
    pub fn selects() -> Vec<Select> {
        vec![
            Select::from("Open_vSwitch").columns(["ovs_version"]),
            Select::from("Bridge").columns(["name", "datapath_type", "other_config", "ports", "mirrors"]),
            Select::from("Port").columns(["name", "tag", "trunks", "vlan_mode", "interfaces"]),
            Select::from("Interface").columns(["name", "type", "ofport", "options"]),
        ]
    }

    /// Reads the bridges from the rows that [`Self::selects`] selected.
    pub fn of_rows(read: &[Rows]) -> Self {
        let [switch, bridges, ports, interfaces] = read else { return Self::default() };
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let interface = |row: &Row| Interface {
            name: owned(row.text("name")),
            kind: owned(row.text("type")),
            ofport: row.int("ofport").and_then(|number| number.try_into().ok()),
            options: row.map("options").map(|(key, value)| (key.into(), value.into())).collect(),
        };
        let port = |row: &Row| Port {
            name: owned(row.text("name")),
            vlans: vlans(row.text("vlan_mode"), row.int("tag"), ints(row, "trunks")),
            interfaces: row.refs("interfaces").filter_map(|it| interfaces.get(it)).map(interface).collect(),
        };
        let bridge = |row: &Row| {
            let bridge = Bridge {
                datapath: owned(row.text("datapath_type")),
                mac: row.map_get("other_config", "hwaddr").map(str::to_owned),
                ports: row.refs("ports").filter_map(|it| ports.get(it)).map(port).collect(),
                is_mirrored: row.refs("mirrors").next().is_some(),
            };
            Some((row.text("name")?.to_owned(), bridge))
        };
        Self {
            bridges: bridges.rows.iter().filter_map(bridge).collect(),
            version: switch.rows.first().and_then(|row| row.text("ovs_version")).map(str::to_owned),
        }
    }

    /// Parses the output of `ovs-vsctl show`, `list interface` and `list bridge`. None of them prints `vlan_mode`, so a
    /// port with a tag counts as an access port.
    pub fn of_text(show: &str, interfaces: &str, bridges: &str) -> Self {
        let (interfaces, records) = (Record::all(interfaces), Record::all(bridges));
        let named = |all: &[Record<'_>], name: &str, column: &str| {
            let record = all.iter().find(|record| record.get("name") == Some(name))?;
            record.get(column).map(str::to_owned)
        };
        let mut recorded = Self::default();
        let mut bridge: Option<(String, Bridge)> = None;
        for line in show.lines() {
            let (key, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let name = value.trim_matches('"');
            if key == "ovs_version:" {
                recorded.version = Some(name.into());
            }
            if key == "Bridge" {
                recorded.bridges.extend(bridge.take());
                let record = records.iter().find(|record| record.get("name") == Some(name));
                let config = record.map(|record| record.map("other_config")).unwrap_or_default();
                let mac = config.into_iter().find(|(key, _)| *key == "hwaddr");
                let new = Bridge {
                    mac: mac.map(|(_, mac)| mac.to_owned()),
                    is_mirrored: record.is_some_and(|it| !matches!(it.get("mirrors"), None | Some("[]"))),
                    ..Bridge::default()
                };
                bridge = Some((name.to_owned(), new));
                continue;
            }
            let Some((_, bridge)) = &mut bridge else { continue };
            match (key, bridge.ports.last_mut()) {
                ("Port", _) => bridge.ports.push(Port { name: name.into(), ..Port::default() }),
                ("datapath_type:", None) => bridge.datapath = name.into(),
                ("tag:", Some(port)) => {
                    port.vlans = Vlans {
                        trunks: std::mem::take(&mut port.vlans.trunks),
                        ..vlans(None, value.parse().ok(), [])
                    };
                }
                ("trunks:", Some(port)) => {
                    let list = value.trim_matches(['[', ']']).split(", ");
                    port.vlans.trunks = list.filter_map(|it| it.parse().ok()).collect();
                }
                ("Interface", Some(port)) => port.interfaces.push(Interface {
                    name: name.into(),
                    ofport: named(&interfaces, name, "ofport").and_then(|number| number.parse().ok()),
                    ..Interface::default()
                }),
                ("type:", Some(Port { interfaces, .. })) => {
                    if let Some(interface) = interfaces.last_mut() {
                        interface.kind = name.into();
                    }
                }
                ("options:", Some(Port { interfaces, .. })) => {
                    if let Some(interface) = interfaces.last_mut() {
                        let pairs = Record(vec![("options", value)]);
                        let pairs = pairs.map("options").into_iter();
                        interface.options = pairs.map(|(key, value)| (key.into(), value.into())).collect();
                    }
                }
                _ => {}
            }
        }
        recorded.bridges.extend(bridge);
        recorded
    }

    /// Returns whether the kernel forwards the packets and handles the tunnels.
    pub fn is_kernel(&self) -> bool {
        self.bridges.values().all(|bridge| bridge.datapath != "netdev")
    }

    /// Returns whether the switch always isolates copies of packets, as Open vSwitch does since 4.0. An unknown version
    /// counts as newer.
    pub fn isolates_copies(&self) -> bool {
        let major = self.version.as_ref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        major.is_none_or(|major| major >= 4)
    }

    /// Returns the remote addresses of tunnels.
    pub fn remotes(&self) -> impl Iterator<Item = IpAddr> {
        let ports = self.bridges.values().flat_map(|bridge| &bridge.ports);
        let interfaces = ports.flat_map(|port| &port.interfaces);
        interfaces.filter_map(|interface| interface.option("remote_ip")?.parse().ok())
    }
}

fn ints<'a>(row: &'a Row, column: &str) -> impl Iterator<Item = i64> + use<'a> {
    row.get(column).map(Datum::atoms).unwrap_or_default().iter().filter_map(Atom::as_int)
}

/// Returns the VLANs of a port from `vlan_mode`, `tag` and `trunks`. Without a mode, a port with a tag is an access
/// port.
fn vlans(mode: Option<&str>, tag: Option<i64>, trunks: impl IntoIterator<Item = i64>) -> Vlans {
    let mode = match (mode, tag) {
        (Some("access"), _) | (None, Some(_)) => VlanMode::Access,
        (Some("trunk") | None, _) => VlanMode::Trunk,
        (Some("native-tagged"), _) => VlanMode::NativeTagged,
        (Some("native-untagged"), _) => VlanMode::NativeUntagged,
        (Some(_), _) => VlanMode::Other,
    };
    let trunks = trunks.into_iter().filter_map(|it| it.try_into().ok()).collect();
    Vlans { mode, tag: tag.and_then(|tag| tag.try_into().ok()).unwrap_or(0), trunks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_switch_is_parsed_from_recorded_output() {
        let show = "5c147122-c914-4e61-a0e8-6a28099a87ab\n    Bridge br-int\n        fail_mode: secure\n        datapath_type: netdev\n        Port \"3ea5e92732a97a8\"\n            tag: 7\n            Interface \"3ea5e92732a97a8\"\n        Port ovn-ac4d40-0\n            Interface ovn-ac4d40-0\n                type: geneve\n                options: {csum=\"true\", key=flow, local_ip=\"172.18.0.3\", remote_ip=\"172.18.0.2\"}\n        Port br-int\n            Interface br-int\n                type: internal\n    Bridge br-ex\n        Port bond0\n            trunks: [5, 6]\n            Interface eth0\n            Interface eth1\n    ovs_version: \"4.0.0\"\n";
        let interfaces = "name                : \"3ea5e92732a97a8\"\nofport              : 5\n\nname                : ovn-ac4d40-0\nofport              : 2\n\nname : eth0\nofport : 1\n\nname : eth1\nofport : 2\n";
        let bridges = "name                : br-int\nmirrors             : [66a7a02d-4f1b-4a0b-8f5a-0a5d0f0d9f1a]\nother_config        : {hwaddr=\"0a:58:0a:f4:00:01\"}\n\nname : br-ex\nmirrors : []\n";
        let recorded = RecordedBridges::of_text(show, interfaces, bridges);
        let bridge = &recorded.bridges["br-int"];
        assert_eq!(bridge.mac.as_deref(), Some("0a:58:0a:f4:00:01"));
        assert!(bridge.is_mirrored && !recorded.bridges["br-ex"].is_mirrored && !recorded.is_kernel());
        let ports = bridge.openflow_ports("br-int");
        assert_eq!(ports.keys().copied().collect::<Vec<_>>(), [2, 5, LOCAL]);
        assert_eq!(ports[&5].vlans, Vlans::access(7));
        let PortKind::Tunnel(tunnel) = &ports[&2].kind else { panic!("{ports:?}") };
        assert_eq!((tunnel.kind, tunnel.checksum), (TunnelKind::Geneve, true));
        assert_eq!((tunnel.remote, tunnel.local), ("172.18.0.2".parse().ok(), "172.18.0.3".parse().ok()));
        let bonded = recorded.bridges["br-ex"].openflow_ports("br-ex");
        assert!(bonded.values().all(|port| port.bond.as_deref() == Some("bond0")), "{bonded:?}");
        assert_eq!(bonded[&1].vlans.trunks, [5, 6]);
        assert_eq!(recorded.remotes().collect::<Vec<_>>(), ["172.18.0.2".parse::<IpAddr>().unwrap()]);
        assert_eq!(recorded.version.as_deref(), Some("4.0.0"));
        assert!(recorded.isolates_copies());
        assert!(!RecordedBridges::of_text(&show.replace("4.0.0", "3.1.0"), "", "").isolates_copies());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(.*\n){0,4}|((Bridge|Port|Interface|tag:|type:|options:) [{\"a-z=, }]{0,20}\n){0,9}") {
            _ = RecordedBridges::of_text(&text, &text, &text);
        }
    }
}
