//! A switch as it was recorded: bridges with their ports, flows, groups and what they have learnt.

use crate::{
    Ports,
    group::{self, Group},
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
    /// A tunnel: its type (`geneve`) and the address of the other end, nothing if flows say it.
    Tunnel(String, Option<std::net::IpAddr>),
}

/// A port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its whole name.
    pub name: String,
    /// What it is.
    pub kind: PortKind,
    /// The VLAN of an access port.
    pub vlan: Option<u16>,
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

/// A bridge. It borrows the dumps that it was made of.
#[derive(Clone, Debug, Default)]
pub struct Bridge<'a> {
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
}

impl<'a> Bridge<'a> {
    /// A bridge with these ports, and what `dump-flows` and `dump-groups` printed.
    pub fn new(ports: BTreeMap<u16, Port>, flows: &'a str, groups: &'a str, learnt: Vec<Learnt>) -> Self {
        let names = Ports::of(ports.iter().map(|(number, port)| (*number, port.name.as_str())));
        let (tables, mut notes) = table::tables(flows, &names);
        let (groups, other) = group::groups(groups);
        notes.extend(other);
        let groups = groups.into_iter().map(|group| (group.id, group)).collect();
        Self { ports, names, tables, groups, learnt, notes }
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
        Self { bridges: bridges.into_iter().collect() }
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
