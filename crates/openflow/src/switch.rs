//! A recorded switch: bridges with their ports, flows, groups and learnt MAC addresses.

use crate::{
    Ports, Underlay, dump,
    group::{self, Group},
    matching,
    table::{self, Table},
};
use std::collections::{BTreeMap, BTreeSet};

/// The number of a bridge's own port.
pub(crate) const LOCAL: u16 = 65534;

/// The kind of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A network device.
    Plain,
    /// One end of a patch cable, with the name of the other end.
    Patch(String),
    /// A tunnel port.
    Tunnel(Tunnel),
}

/// The type of a tunnel port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelKind {
    /// Geneve (RFC 8926).
    Geneve,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// A type that is not evaluated.
    Other,
}

/// The configuration of a tunnel port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The type.
    pub kind: TunnelKind,
    /// The remote address. `None` if flows set it.
    pub remote: Option<std::net::IpAddr>,
    /// The source address. `None` if routes choose it.
    pub local: Option<std::net::IpAddr>,
    /// Whether the outer packet has a checksum.
    pub checksum: bool,
}

/// A Geneve option that is mapped to a field of flows, as `ovs-ofctl dump-tlv-map` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelOption {
    /// The option class.
    pub class: u16,
    /// The option type.
    pub kind: u8,
    /// The length in bytes.
    pub length: u8,
    /// The number of the field: 0 for `tun_metadata0`.
    pub field: u8,
}

impl TunnelOption {
    /// Parses the options of a bridge. Returns the lines that were not understood, too.
    pub fn all(text: &str) -> (Vec<Self>, Vec<String>) {
        const HEADERS: [&str; 6] =
            ["NXT_TLV_TABLE_REPLY", "max option", "allocated option", "mapping table", "class ", "---"];
        let hex = |word: &str| u16::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let option = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [class, kind, length, field] => Some(Self {
                class: hex(class)?,
                kind: hex(kind)?.try_into().ok()?,
                length: length.parse().ok()?,
                field: field.strip_prefix("tun_metadata")?.parse().ok()?,
            }),
            _ => None,
        };
        dump::parse(text, |line| HEADERS.iter().any(|header| line.starts_with(header)), option)
    }
}

/// A port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The full name.
    pub name: String,
    /// The kind of the port.
    pub kind: PortKind,
    /// The VLANs that `NORMAL` forwards through the port.
    pub vlans: Vlans,
    /// The bond that the port is a member of.
    pub bond: Option<String>,
}

/// The VLAN mode of a port (`vlan_mode` of `ovs-vswitchd.conf.db(5)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VlanMode {
    /// One VLAN, without tags.
    Access,
    /// Some VLANs or all, with tags.
    #[default]
    Trunk,
    /// A trunk with one VLAN for packets without a tag.
    NativeTagged,
    /// A trunk with one VLAN whose packets have no tag.
    NativeUntagged,
    /// A mode that is not evaluated.
    Other,
}

/// The VLANs of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vlans {
    /// The VLAN mode.
    pub mode: VlanMode,
    /// The VLAN of an access port, or the native VLAN.
    pub tag: u16,
    /// The VLANs of a trunk. An empty list means all VLANs.
    pub trunks: Vec<u16>,
}

impl Vlans {
    /// Returns the VLANs of an access port.
    pub fn access(tag: u16) -> Self {
        Self { mode: VlanMode::Access, tag, trunks: Vec::new() }
    }

    /// Returns whether the port carries a VLAN.
    pub(crate) fn include(&self, vlan: u16) -> bool {
        let trunk = || self.trunks.is_empty() || self.trunks.contains(&vlan);
        match self.mode {
            VlanMode::Access => vlan == self.tag,
            VlanMode::Trunk | VlanMode::Other => trunk(),
            // Packets without a tag belong to the native VLAN, so VLAN 0 does not exist.
            VlanMode::NativeTagged | VlanMode::NativeUntagged => vlan == self.tag || vlan != 0 && trunk(),
        }
    }
}

/// A MAC address that a bridge has learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The OpenFlow number of the port.
    pub port: u16,
    /// The VLAN, or 0 for none.
    pub vlan: u16,
    /// The MAC address.
    pub mac: u128,
}

impl Learnt {
    /// Returns whether the address belongs to the bridge itself.
    pub fn is_local(&self) -> bool {
        self.port == LOCAL
    }

    /// Parses the output of `ovs-appctl fdb/show` for a bridge. Returns the lines that were not understood, too.
    pub fn all(text: &str) -> (Vec<Self>, Vec<String>) {
        let learnt = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [port, vlan, mac, _age] => Some(Self {
                port: matching::port(port, &Ports::default())?,
                vlan: vlan.parse().ok()?,
                mac: packet::parse_mac(mac)?,
            }),
            _ => None,
        };
        dump::parse(text, |line| line.to_ascii_lowercase().starts_with("port "), learnt)
    }
}

/// A bridge of a switch. It borrows the dumps that it was made from.
#[derive(Clone, Debug, Default)]
pub struct Bridge<'a> {
    pub(crate) mac: Option<u128>,
    pub(crate) options: Vec<TunnelOption>,
    pub(crate) ports: BTreeMap<u16, Port>,
    pub(crate) names: Ports,
    pub(crate) tables: BTreeMap<u8, Table<'a>>,
    pub(crate) groups: BTreeMap<u32, Group<'a>>,
    pub(crate) learnt: Vec<Learnt>,
    notes: Vec<String>,
}

/// A switch with its bridges.
#[derive(Clone, Debug)]
pub struct Switch<'a> {
    pub(crate) bridges: BTreeMap<String, Bridge<'a>>,
    /// The network under the tunnels. `None` if the kernel handles tunnels.
    pub(crate) underlay: Option<Underlay>,
    /// Later actions never see the effects of connection tracking or a meter on a copy.
    pub(crate) isolates: bool,
}

impl<'a> Bridge<'a> {
    /// Creates a bridge from its ports and the output of `dump-flows`, `dump-groups` and `fdb/show`. The MAC address of
    /// the bridge is the one that it has learnt at its own port.
    pub fn new(ports: BTreeMap<u16, Port>, flows: &'a str, groups: &'a str, fdb: &str) -> Self {
        let names = Ports::of(ports.iter().map(|(number, port)| (*number, port.name.as_str())));
        let (tables, mut notes) = table::tables(flows, &names);
        let (groups, other) = group::groups(groups);
        notes.extend(other);
        let groups = groups.into_iter().map(|group| (group.id, group)).collect();
        let (learnt, other) = Learnt::all(fdb);
        notes.extend(other);
        let mac = learnt.iter().find(|it| it.is_local()).map(|it| it.mac);
        Self { mac, options: Vec::new(), ports, names, tables, groups, learnt, notes }
    }

    /// Sets the configured MAC address of the bridge's own port, which is the source of its tunnels.
    #[must_use]
    pub fn with_mac(self, mac: u128) -> Self {
        Self { mac: Some(mac), ..self }
    }

    /// Sets the Geneve options of the bridge from the output of `dump-tlv-map`.
    #[must_use]
    pub fn with_options(mut self, tlv_map: &str) -> Self {
        let (options, other) = TunnelOption::all(tlv_map);
        self.notes.extend(other);
        Self { options, ..self }
    }

    /// Returns the numbers of the ports that flows match as the port of a packet (`in_port`).
    pub fn matched_ports(&self) -> BTreeSet<u16> {
        let matched = self.tables.values().flat_map(Table::matched);
        let ports = matched.flat_map(|text| text.split(',')).filter_map(|part| part.strip_prefix("in_port="));
        ports.filter_map(|port| matching::port(port.trim(), &self.names)).collect()
    }

    /// Returns whether the recording has a flow of this table.
    pub fn has_flow_in(&self, table: u8) -> bool {
        self.tables.contains_key(&table)
    }

    /// Returns the lines of the dumps that were not understood. If there are any, a real packet may take another path
    /// than the evaluation shows.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl<'a> Switch<'a> {
    /// Creates a switch from bridges by name.
    pub fn new(bridges: impl IntoIterator<Item = (String, Bridge<'a>)>) -> Self {
        Self { bridges: bridges.into_iter().collect(), underlay: None, isolates: true }
    }

    /// Returns the switch with a different rule for copies of packets. Open vSwitch isolates every copy since 4.0.
    /// Before, it isolates a copy only if connection tracking or a meter is among the actions of the copy itself.
    #[must_use]
    pub fn with_isolated_copies(self, isolates: bool) -> Self {
        Self { isolates, ..self }
    }

    /// Makes the switch handle tunnels itself: the outer packet goes through the bridge that the route to the remote
    /// address leads to.
    #[must_use]
    pub fn with_underlay(self, underlay: Underlay) -> Self {
        Self { underlay: Some(underlay), ..self }
    }

    /// Adds a flow to a bridge. The flow replaces one with the same match and priority.
    #[must_use]
    pub fn with_flow(mut self, bridge: &str, line: &'a str) -> Self {
        if let Some(bridge) = self.bridges.get_mut(bridge) {
            bridge.notes.extend(table::add(&mut bridge.tables, line, &bridge.names));
        }
        self
    }

    /// Returns the bridge of a name.
    pub fn bridge(&self, name: &str) -> Option<&Bridge<'a>> {
        self.bridges.get(name)
    }

    /// Returns the bridge and the number of the port with this name.
    pub(crate) fn port(&self, name: &str) -> Option<(&str, u16)> {
        self.bridges.iter().find_map(|(bridge, it)| {
            let (number, _) = it.ports.iter().find(|(_, port)| port.name == name)?;
            Some((bridge.as_str(), *number))
        })
    }
}
