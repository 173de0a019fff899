//! A switch as it was recorded: bridges with their ports, flows, groups and what they have learnt.

use crate::{
    Ports, Underlay,
    group::{self, Group},
    matching,
    table::{self, Table},
};
use std::collections::BTreeMap;

/// The number of a bridge's own port.
pub(crate) const LOCAL: u16 = 65534;

/// What a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A device.
    Plain,
    /// One end of a patch cord; the name of the other end.
    Patch(String),
    /// A tunnel.
    Tunnel(Tunnel),
}

/// A tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its type: `geneve`.
    pub kind: String,
    /// The address of the other end; nothing if flows say it.
    pub remote: Option<std::net::IpAddr>,
    /// The address that it sends from; nothing if routes say it.
    pub local: Option<std::net::IpAddr>,
    /// The outer packet has a checksum.
    pub checksum: bool,
}

/// An option of Geneve that a field of flows stands for, as `ovs-ofctl dump-tlv-map` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelOption {
    /// The class.
    pub class: u16,
    /// The type.
    pub kind: u8,
    /// How many bytes it has.
    pub length: u8,
    /// The number of the field: 0 for `tun_metadata0`.
    pub field: u8,
}

impl TunnelOption {
    /// The options of a bridge.
    pub fn all(text: &str) -> Vec<Self> {
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
        text.lines().filter_map(option).collect()
    }
}

/// A port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its whole name.
    pub name: String,
    /// What it is.
    pub kind: PortKind,
    /// Which VLANs `NORMAL` forwards by it.
    pub vlans: Vlans,
    /// The bond that it is a member of.
    pub bond: Option<String>,
}

/// How a port carries VLANs (`vlan_mode` of `ovs-vswitchd.conf.db(5)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VlanMode {
    /// One VLAN, without tags.
    Access,
    /// Some VLANs or all, with tags.
    #[default]
    Trunk,
    /// As a trunk, with one VLAN that packets without a tag belong to.
    NativeTagged,
    /// As a trunk, with one VLAN whose packets have no tag.
    NativeUntagged,
    /// A mode that is not evaluated.
    Other,
}

/// The VLANs of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vlans {
    /// How they are carried.
    pub mode: VlanMode,
    /// The VLAN of an access port, and the native one.
    pub tag: u16,
    /// The VLANs of a trunk; all if there are none.
    pub trunks: Vec<u16>,
}

impl Vlans {
    /// The VLANs of an access port.
    pub fn access(tag: u16) -> Self {
        Self { mode: VlanMode::Access, tag, trunks: Vec::new() }
    }

    /// Does the port carry a VLAN?
    pub(crate) fn include(&self, vlan: u16) -> bool {
        let trunk = || self.trunks.is_empty() || self.trunks.contains(&vlan);
        match self.mode {
            VlanMode::Access => vlan == self.tag,
            VlanMode::Trunk | VlanMode::Other => trunk(),
            VlanMode::NativeTagged | VlanMode::NativeUntagged => vlan == self.tag || trunk(),
        }
    }
}

/// A MAC address that a bridge has learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The port.
    pub port: u16,
    /// The VLAN; 0 for none.
    pub vlan: u16,
    /// The address.
    pub mac: u128,
}

impl Learnt {
    /// Is it the bridge's own?
    pub fn is_local(&self) -> bool {
        self.port == LOCAL
    }

    /// What `ovs-appctl fdb/show` prints of a bridge.
    pub fn all(text: &str) -> Vec<Self> {
        let learnt = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [port, vlan, mac, _age] => Some(Self {
                port: matching::port(port, &Ports::default())?,
                vlan: vlan.parse().ok()?,
                mac: packet::parse_mac(mac)?,
            }),
            _ => None,
        };
        text.lines().filter_map(learnt).collect()
    }
}

/// A bridge. It borrows the dumps that it was made of.
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

/// A switch.
#[derive(Clone, Debug, Default)]
pub struct Switch<'a> {
    pub(crate) bridges: BTreeMap<String, Bridge<'a>>,
    /// Nothing if the kernel does the tunnelling.
    pub(crate) underlay: Option<Underlay>,
}

impl<'a> Bridge<'a> {
    /// A bridge with these ports, and what `dump-flows` and `dump-groups` printed.
    pub fn new(ports: BTreeMap<u16, Port>, flows: &'a str, groups: &'a str, learnt: Vec<Learnt>) -> Self {
        let names = Ports::of(ports.iter().map(|(number, port)| (*number, port.name.as_str())));
        let (tables, mut notes) = table::tables(flows, &names);
        let (groups, other) = group::groups(groups);
        notes.extend(other);
        let groups = groups.into_iter().map(|group| (group.id, group)).collect();
        Self { mac: None, options: Vec::new(), ports, names, tables, groups, learnt, notes }
    }

    /// The same bridge, whose own port has this MAC address: tunnels send from it.
    #[must_use]
    pub fn with_mac(self, mac: Option<u128>) -> Self {
        Self { mac, ..self }
    }

    /// The same bridge, with these options of Geneve.
    #[must_use]
    pub fn with_options(self, options: Vec<TunnelOption>) -> Self {
        Self { options, ..self }
    }

    /// Lines of the dumps that are not understood. With any of them, a packet may go another way than the flows that
    /// are understood say.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl<'a> Switch<'a> {
    /// Of these bridges, by name.
    pub fn new(bridges: impl IntoIterator<Item = (String, Bridge<'a>)>) -> Self {
        Self { bridges: bridges.into_iter().collect(), underlay: None }
    }

    /// The same switch, which does the tunnelling itself: what it sends by a tunnel goes through the bridge that the
    /// route to the other end leads to.
    #[must_use]
    pub fn with_underlay(self, underlay: Underlay) -> Self {
        Self { underlay: Some(underlay), ..self }
    }

    /// The bridge of a name.
    pub fn bridge(&self, name: &str) -> Option<&Bridge<'a>> {
        self.bridges.get(name)
    }

    /// Where a patch port of this name is.
    pub(crate) fn port(&self, name: &str) -> Option<(&str, u16)> {
        self.bridges.iter().find_map(|(bridge, it)| {
            let (number, _) = it.ports.iter().find(|(_, port)| port.name == name)?;
            Some((bridge.as_str(), *number))
        })
    }
}
