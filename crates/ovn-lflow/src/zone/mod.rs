//! A zone: one southbound database, compiled once so that many packets can be followed through it.

mod compile;
mod index;
mod read;
mod sets;

use crate::actions::Action;
use compile::Node;
use index::Index;
use ovn_model::lflow::{Flow, Pipeline};
use ovsdb::Uuid;
use packet::Packet;
use sets::PortSet;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

/// Whose behaviour is evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// What the switch does.
    #[default]
    Datapath,
    /// What the program ovn-trace says, for comparison with it: it departs from the switch in ways that
    /// `docs/ovn-trace.md` lists.
    OvnTrace,
}

/// A logical switch or router.
#[derive(Debug)]
pub struct Datapath {
    /// Its row.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Its number in tunnels.
    pub key: u32,
    /// Whether it is a gateway router: one of its ports is bound to a chassis.
    pub is_gateway: bool,
    /// Whether it is a switch rather than a router.
    pub is_switch: bool,
    /// The indexes that hold its flows: its own, and those of its groups.
    stages: BTreeMap<(Pipeline, i64), Vec<usize>>,
    /// The names of its stages.
    names: BTreeMap<(Pipeline, i64), String>,
}

/// A logical port.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its row.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Its datapath, by place.
    pub datapath: usize,
    /// Its number in the datapath.
    pub key: u32,
    /// Its type; empty of a pod's.
    pub kind: String,
    /// The port at the other end, of patch ports and gateway ports.
    pub peer: Option<String>,
    /// Of a chassisredirect port, the port that it stands for.
    pub distributed: Option<String>,
    /// The chassis that it is bound to.
    pub chassis: Option<Uuid>,
    /// The addresses that port security allows; none: all.
    pub security: Vec<Allowed>,
}

/// Addresses that port security allows together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The MAC address.
    pub mac: u128,
    /// IPv4 addresses.
    pub ip4: Vec<u128>,
    /// IPv6 addresses.
    pub ip6: Vec<u128>,
}

/// All ports and multicast groups.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    pub(crate) all: Vec<Port>,
    by_name: HashMap<String, usize>,
    by_key: HashMap<(usize, u32), usize>,
    /// By datapath and key: the name, and the names of its ports in order.
    pub(crate) groups: BTreeMap<(usize, u32), (String, Vec<String>)>,
}

impl Ports {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Port> {
        self.all.get(*self.by_name.get(name)?)
    }

    pub(crate) fn by_key(&self, datapath: usize, key: u32) -> Option<&Port> {
        self.all.get(*self.by_key.get(&(datapath, key))?)
    }

    /// What a name in a match means: a port, or else a multicast group of each datapath that has one.
    pub(crate) fn named(&self, name: &str) -> PortSet {
        if name.is_empty() || name == "none" {
            return PortSet::none();
        }
        match self.by_name(name) {
            Some(port) => PortSet::new([(port.datapath, port.key)]),
            None => PortSet::new(self.groups.iter().filter(|(_, (it, _))| it == name).map(|(at, _)| *at)),
        }
    }

    /// The number of a name in one datapath.
    pub(crate) fn key_of(&self, datapath: usize, name: &str) -> Option<u32> {
        if let Some(port) = self.by_name(name) {
            return (port.datapath == datapath).then_some(port.key);
        }
        self.groups.iter().find(|((at, _), (it, _))| *at == datapath && it == name).map(|((_, key), _)| *key)
    }
}

/// A flow that is in force.
#[derive(Debug)]
pub struct Compiled {
    /// The flow, which traces keep.
    pub flow: Arc<Flow>,
    /// Its actions, which it may share with other flows.
    pub actions: Arc<[Action]>,
    node: Node,
}

impl Compiled {
    /// Does it match every packet and do nothing but go on? ovn-trace leaves such flows out.
    pub(crate) fn is_passed_over(&self) -> bool {
        matches!(self.node, Node::Constant(true))
            && matches!(&*self.actions, [Action::Next { pipeline: None, table }]
                if table.is_none_or(|table| i64::from(table) == self.flow.table + 1))
    }
}

/// Something in the database that keeps a flow from coming into force, or that makes an answer uncertain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The row.
    pub row: Uuid,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {}", self.row, self.what)
    }
}

/// Where a MAC address of a neighbour is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The address.
    pub mac: u128,
    /// Whether it was set by hand rather than learnt.
    pub is_static: bool,
}

/// One southbound database, compiled.
#[derive(Debug)]
pub struct Zone {
    /// Whose behaviour is evaluated.
    pub semantics: Semantics,
    /// The logical switches and routers.
    pub datapaths: Vec<Datapath>,
    /// Flows that cannot come into force, and other faults.
    pub findings: Vec<Finding>,
    pub(crate) ports: Ports,
    flows: Vec<Compiled>,
    indexes: Vec<Index>,
    /// By port and address.
    bindings: HashMap<(String, u128), Binding>,
    /// By key of the datapath and address: the key of the port.
    fdb: HashMap<(u32, u128), u32>,
    /// The names of all chassis, and the hosts that they run on.
    chassis: HashMap<Uuid, (String, String)>,
    /// The chassis of this zone, if there is one only.
    own_chassis: Option<Uuid>,
    /// Addresses and ports of all load balancers.
    pub(crate) vips: Vec<(u128, u16)>,
}

/// Flows that a packet matches.
pub(crate) struct Found<'a> {
    pub(crate) flow: &'a Compiled,
    /// Others of the same priority that match too: the switch takes any of them.
    pub(crate) others: Vec<&'a Compiled>,
}

impl Zone {
    /// The port of a name.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.by_name(name)
    }

    /// All ports.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.all.iter()
    }

    /// The port of a key in a datapath.
    #[must_use]
    pub fn port_by_key(&self, datapath: usize, key: u32) -> Option<&Port> {
        self.ports.by_key(datapath, key)
    }

    /// The place of the datapath with this key.
    #[must_use]
    pub fn datapath_by_key(&self, key: u32) -> Option<usize> {
        self.datapaths.iter().position(|datapath| datapath.key == key)
    }

    /// The name of the chassis that a port is bound to.
    #[must_use]
    pub fn chassis_of(&self, port: &Port) -> Option<&str> {
        self.chassis.get(&port.chassis?).map(|(name, _)| name.as_str())
    }

    /// The name of the host that the chassis of a port runs on: of OVN-Kubernetes, the node.
    #[must_use]
    pub fn host_of(&self, port: &Port) -> Option<&str> {
        self.chassis.get(&port.chassis?).map(|(_, host)| host.as_str()).filter(|host| !host.is_empty())
    }

    /// The name of this zone's own chassis; nothing if there are several.
    #[must_use]
    pub fn own_chassis(&self) -> Option<&str> {
        self.chassis.get(&self.own_chassis?).map(|(name, _)| name.as_str())
    }

    /// How many flows are in force.
    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// The neighbour that a port knows under an address. What was set by hand counts in the switch, and nothing in
    /// ovn-trace.
    pub(crate) fn binding(&self, port: &str, address: u128) -> Option<Binding> {
        let found = self.bindings.get(&(port.to_owned(), address)).copied();
        found.filter(|binding| !binding.is_static || self.semantics == Semantics::Datapath)
    }

    /// Where a datapath knows a MAC address.
    pub(crate) fn fdb(&self, datapath: usize, mac: u128) -> Option<u32> {
        let key = self.datapaths.get(datapath)?.key;
        self.fdb.get(&(key, mac)).copied()
    }

    /// The name of a stage.
    pub(crate) fn stage(&self, datapath: usize, pipeline: Pipeline, table: i64) -> Option<&str> {
        self.datapaths.get(datapath)?.names.get(&(pipeline, table)).map(String::as_str)
    }

    /// The flow of highest priority in a stage that matches a packet.
    pub(crate) fn find(
        &self,
        datapath: usize,
        pipeline: Pipeline,
        table: i64,
        packet: &Packet,
    ) -> Option<Found<'_>> {
        let mut candidates = Vec::new();
        for index in self.datapaths.get(datapath)?.stages.get(&(pipeline, table))? {
            self.indexes.get(*index)?.candidates(datapath, packet, &mut candidates);
        }
        candidates.sort_unstable();
        candidates.dedup();
        let flows = candidates.iter().filter_map(|at| self.flows.get(*at as usize));
        let mut matching = flows.filter(|flow| flow.node.matches(datapath, packet));
        let flow = matching.next()?;
        let others = matching.take_while(|other| other.flow.priority == flow.flow.priority);
        // Flows that do the same leave no choice.
        let others = others.filter(|other| other.actions != flow.actions).collect();
        Some(Found { flow, others })
    }
}
