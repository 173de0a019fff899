//! A zone: one southbound database, compiled once so that many packets can be traced through it.

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

/// The program whose behaviour is evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// The behaviour of the switch.
    #[default]
    Datapath,
    /// The behaviour of the program ovn-trace, for comparison with it. `docs/ovn-trace.md` lists where it differs from
    /// the switch.
    OvnTrace,
}

/// A logical switch or router.
#[derive(Debug)]
pub struct Datapath {
    /// The UUID of the datapath's row.
    pub uuid: Uuid,
    /// The name of the datapath.
    pub name: String,
    /// The tunnel key.
    pub key: u32,
    /// True for a gateway router, which has a port that is bound to a chassis.
    pub is_gateway: bool,
    /// True for a switch, false for a router.
    pub is_switch: bool,
    /// The indexes of the flows by stage: flows of the datapath itself and of its datapath groups.
    stages: BTreeMap<(Pipeline, i64), Vec<usize>>,
    /// The names of the stages.
    names: BTreeMap<(Pipeline, i64), String>,
}

/// A logical port.
#[derive(Clone, Debug)]
pub struct Port {
    /// The UUID of the port's row.
    pub uuid: Uuid,
    /// The name of the port.
    pub name: String,
    /// The index of the port's datapath in [`Zone::datapaths`].
    pub datapath: usize,
    /// The tunnel key, which is unique in the datapath.
    pub key: u32,
    /// The type; empty for the port of a pod.
    pub kind: String,
    /// The peer of a patch port or l3gateway port.
    pub peer: Option<String>,
    /// The distributed port behind a chassisredirect port.
    pub distributed: Option<String>,
    /// The chassis that the port is bound to.
    pub chassis: Option<Uuid>,
    /// The addresses that port security allows. An empty list allows all addresses.
    pub security: Vec<AllowedAddresses>,
}

/// The addresses that one entry of port security allows together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedAddresses {
    /// The MAC address.
    pub mac: u128,
    /// The IPv4 addresses.
    pub ip4: Vec<u128>,
    /// The IPv6 addresses.
    pub ip6: Vec<u128>,
}

/// All ports and multicast groups.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    pub(crate) all: Vec<Port>,
    by_name: HashMap<String, usize>,
    by_key: HashMap<(usize, u32), usize>,
    /// The multicast groups by datapath and key: the name of each group and the sorted names of its ports.
    pub(crate) groups: BTreeMap<(usize, u32), (String, Vec<String>)>,
}

impl Ports {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Port> {
        self.all.get(*self.by_name.get(name)?)
    }

    pub(crate) fn by_key(&self, datapath: usize, key: u32) -> Option<&Port> {
        self.all.get(*self.by_key.get(&(datapath, key))?)
    }

    /// Resolves a name in a match: a port, or else the multicast groups with this name in all datapaths.
    pub(crate) fn named(&self, name: &str) -> PortSet {
        if name.is_empty() || name == "none" {
            return PortSet::none();
        }
        match self.by_name(name) {
            Some(port) => PortSet::new([(port.datapath, port.key)]),
            None => PortSet::new(self.groups.iter().filter(|(_, (it, _))| it == name).map(|(at, _)| *at)),
        }
    }

    /// Returns the key of a port or multicast group in one datapath.
    pub(crate) fn key_of(&self, datapath: usize, name: &str) -> Option<u32> {
        if let Some(port) = self.by_name(name) {
            return (port.datapath == datapath).then_some(port.key);
        }
        self.groups.iter().find(|((at, _), (it, _))| *at == datapath && it == name).map(|((_, key), _)| *key)
    }
}

/// A compiled flow, which is in force.
#[derive(Debug)]
pub struct Compiled {
    /// The logical flow, which traces refer to.
    pub flow: Arc<Flow>,
    /// The actions, which several flows may share.
    pub actions: Arc<[Action]>,
    node: Node,
}

impl Compiled {
    /// Returns whether the flow matches every packet and only continues with the next stage. ovn-trace does not print
    /// such flows.
    pub(crate) fn is_passed_over(&self) -> bool {
        matches!(self.node, Node::Constant(true))
            && matches!(&*self.actions, [Action::Next { pipeline: None, table }]
                if table.is_none_or(|table| i64::from(table) == self.flow.table + 1))
    }
}

/// A fault in the database that keeps a flow from coming into force, or that makes a trace uncertain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The UUID of the row.
    pub row: Uuid,
    /// The fault.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {}", self.row, self.what)
    }
}

/// The MAC address of a neighbour, from `MAC_Binding` or `Static_MAC_Binding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacBinding {
    /// The MAC address.
    pub mac: u128,
    /// True if the binding is static, false if it was learnt.
    pub is_static: bool,
}

/// A compiled southbound database.
#[derive(Debug)]
pub struct Zone {
    /// The program whose behaviour is evaluated.
    pub semantics: Semantics,
    /// The logical switches and routers.
    pub datapaths: Vec<Datapath>,
    /// The flows that cannot come into force, and other faults.
    pub findings: Vec<Finding>,
    pub(crate) ports: Ports,
    flows: Vec<Compiled>,
    indexes: Vec<Index>,
    /// The MAC bindings by port and address.
    bindings: HashMap<(String, u128), MacBinding>,
    /// The port keys of the FDB, by datapath key and MAC address.
    fdb: HashMap<(u32, u128), u32>,
    /// The name and the host of each chassis.
    chassis: HashMap<Uuid, (String, String)>,
    /// The chassis of this zone, if there is only one.
    own_chassis: Option<Uuid>,
    /// The virtual IPs and ports of all load balancers.
    pub(crate) vips: Vec<Vip>,
}

/// A virtual IP of a load balancer.
#[derive(Debug)]
pub(crate) struct Vip {
    pub(crate) address: u128,
    /// The port, or 0 for all ports.
    pub(crate) port: u16,
    /// The source address of a packet that the load balancer sends back to its sender.
    pub(crate) hairpin: u128,
}

/// The flows of a stage that match a packet.
pub(crate) struct MatchingFlows<'a> {
    pub(crate) flow: &'a Compiled,
    /// Other matching flows of the same priority with other actions. The switch may take any of them.
    pub(crate) others: Vec<&'a Compiled>,
}

impl Zone {
    /// Returns the port with a name.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.by_name(name)
    }

    /// Returns all ports.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.all.iter()
    }

    /// Returns the port with a key in the datapath with this index.
    #[must_use]
    pub fn port_by_key(&self, datapath: usize, key: u32) -> Option<&Port> {
        self.ports.by_key(datapath, key)
    }

    /// Returns the index of the datapath with this tunnel key.
    #[must_use]
    pub fn datapath_by_key(&self, key: u32) -> Option<usize> {
        self.datapaths.iter().position(|datapath| datapath.key == key)
    }

    /// Returns the name of the chassis that a port is bound to.
    #[must_use]
    pub fn chassis_of(&self, port: &Port) -> Option<&str> {
        self.chassis.get(&port.chassis?).map(|(name, _)| name.as_str())
    }

    /// Returns the host of the chassis that a port is bound to. In OVN-Kubernetes, this is the node.
    #[must_use]
    pub fn host_of(&self, port: &Port) -> Option<&str> {
        self.chassis.get(&port.chassis?).map(|(_, host)| host.as_str()).filter(|host| !host.is_empty())
    }

    /// Returns the name of this zone's own chassis, or `None` if there are several.
    #[must_use]
    pub fn own_chassis(&self) -> Option<&str> {
        self.chassis.get(&self.own_chassis?).map(|(name, _)| name.as_str())
    }

    /// Returns the number of flows that are in force.
    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Returns the MAC binding of an address at a port. The switch uses static bindings; ovn-trace ignores them.
    pub(crate) fn binding(&self, port: &str, address: u128) -> Option<MacBinding> {
        let found = self.bindings.get(&(port.to_owned(), address)).copied();
        found.filter(|binding| !binding.is_static || self.semantics == Semantics::Datapath)
    }

    /// Returns the key of the port behind which a datapath has learnt a MAC address.
    pub(crate) fn fdb(&self, datapath: usize, mac: u128) -> Option<u32> {
        let key = self.datapaths.get(datapath)?.key;
        self.fdb.get(&(key, mac)).copied()
    }

    /// Returns the name of a stage.
    pub(crate) fn stage(&self, datapath: usize, pipeline: Pipeline, table: i64) -> Option<&str> {
        self.datapaths.get(datapath)?.names.get(&(pipeline, table)).map(String::as_str)
    }

    /// Finds the flow with the highest priority in a stage that matches a packet.
    pub(crate) fn find(
        &self,
        datapath: usize,
        pipeline: Pipeline,
        table: i64,
        packet: &Packet,
    ) -> Option<MatchingFlows<'_>> {
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
        // Flows with the same actions are not a choice.
        let others = others.filter(|other| other.actions != flow.actions).collect();
        Some(MatchingFlows { flow, others })
    }
}
