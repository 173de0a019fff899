//! What a person calls the ends of a connection.

use crate::{
    Protocol,
    ports::{Port, Ports},
    services::{Services, Vip},
};
use ovsdb::{Rows, Schema, Select};
use std::{collections::BTreeMap, net::IpAddr};

/// What names can stand for in a zone.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The logical ports of the zone.
    pub ports: Ports,
    /// The addresses of the nodes, by name: those that tunnels end at.
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
    /// The services, if they were read.
    pub services: Option<Services>,
}

/// Where a packet begins.
#[derive(Clone, Copy, Debug)]
pub enum Sender<'a> {
    /// At a port.
    Port(&'a Port),
    /// Outside the cluster: it comes in by the port of the external network.
    Outside {
        /// The port by which it comes in.
        port: &'a Port,
        /// The port of the router behind.
        router: &'a Port,
        /// Its source.
        address: IpAddr,
    },
}

/// Where a packet is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The address.
    pub address: IpAddr,
    /// The port; 0 where the protocol has none.
    pub port: u16,
    /// Is it a service, of which a load balancer chooses a backend?
    pub of_service: bool,
}

/// Why a name is no end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// The destination's port is not given.
    #[error("parameter `port` is missing")]
    NoPort,
    /// Nothing is called so.
    #[error("no {kind} is named `{name}`")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The service has other ports.
    #[error("service {service} has no such port")]
    NoSuchPort {
        /// The service.
        service: String,
        /// Its addresses and ports.
        offered: Vec<String>,
    },
    /// Packets from outside have no way into this zone.
    #[error("{0} is no pod's address in this zone, and the zone has no port to an external network")]
    NoOutside(IpAddr),
}

impl NoEndpoint {
    /// What to do instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoPort => "Give the destination's port; none with protocol=icmp.".into(),
            Self::Unknown { known, .. } => format!("There are: {}.", known.join(", ")),
            Self::NoSuchPort { offered, .. } => format!("It has {}.", offered.join(", ")),
            Self::NoOutside(_) => "Name the sender's node, or give the sender's pod.".into(),
        }
    }
}

impl Names {
    /// What has to be read of the southbound database.
    pub fn selects(schema: &Schema) -> Vec<Select> {
        let nodes = [("Chassis", ["name", "hostname"]), ("Encap", ["chassis_name", "ip"])];
        let known = nodes.into_iter().filter(|(table, columns)| {
            let has = |column: &&str| schema.table(table).is_some_and(|it| it.column(column).is_some());
            columns.iter().all(has)
        });
        let nodes = known.map(|(table, columns)| Select::from(table).columns(columns));
        [Ports::select()].into_iter().chain(nodes).collect()
    }

    /// From what [`Self::selects`] asked for.
    pub fn new(read: &[Rows]) -> Self {
        let table = |name: &'static str| read.iter().filter(move |rows| rows.table.name == name);
        let rows = |name| table(name).flat_map(|rows| &rows.rows);
        let hosts: BTreeMap<&str, &str> =
            rows("Chassis").filter_map(|row| Some((row.text("name")?, row.text("hostname")?))).collect();
        let mut nodes: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for row in rows("Encap") {
            let host = row.text("chassis_name").and_then(|name| hosts.get(name));
            let address = row.text("ip").and_then(|ip| ip.parse().ok());
            if let (Some(host), Some(address)) = (host, address) {
                let addresses = nodes.entry((*host).to_owned()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self {
            ports: table("Port_Binding").next().map(Ports::new).unwrap_or_default(),
            nodes,
            services: None,
        }
    }

    /// Where a packet begins: at a pod (`namespace/name`) or logical port, at a node, or at an address, which is a pod's or
    /// comes from outside.
    ///
    /// # Errors
    /// If this zone has nothing of the name.
    pub fn sender(&self, from: &str) -> Result<Sender<'_>, NoEndpoint> {
        let management = || self.ports.find(&format!("k8s-{from}")).filter(|_| self.nodes.contains_key(from));
        if let Some(port) = self.ports.find(from).or_else(management) {
            return Ok(Sender::Port(port));
        }
        let Ok(address) = from.parse() else {
            let ports = self.ports.iter().map(|port| port.name.clone());
            return Err(NoEndpoint::Unknown {
                kind: "logical port of this zone, node or address",
                name: from.to_owned(),
                known: ports.chain(self.nodes.keys().cloned()).collect(),
            });
        };
        if let Some(port) = self.ports.of_pod_with(address) {
            return Ok(Sender::Port(port));
        }
        // A node's switch to the outside is named after it; other networks have switches of their own.
        let localnet = self.ports.iter().filter(|port| port.kind == "localnet");
        let mut entries: Vec<(&Port, &Port)> =
            localnet.filter_map(|port| Some((port, self.ports.gateways(port.datapath).next()?))).collect();
        entries.sort_by(|a, b| (a.1.name.len(), &a.0.name).cmp(&(b.1.name.len(), &b.0.name)));
        match entries.first() {
            Some(&(port, router)) => Ok(Sender::Outside { port, router, address }),
            None => Err(NoEndpoint::NoOutside(address)),
        }
    }

    /// Where a packet is to go: to an address, a pod or port of the zone, a service or a node. `Ok(None)`: it is nothing but
    /// perhaps a service, and the services were not read.
    ///
    /// # Errors
    /// If nothing is called so, or its port is not known.
    pub fn destination(
        &self,
        to: &str,
        protocol: Protocol,
        port: Option<u16>,
    ) -> Result<Option<Destination>, NoEndpoint> {
        let of_port = || Some(self.ports.find(to)?.addresses.first()?.addr());
        let of_node = || self.nodes.get(to)?.first().copied();
        if let Some(address) = to.parse().ok().or_else(of_port).or_else(of_node) {
            return at(address, protocol, port).map(Some);
        }
        let Some(services) = &self.services else { return Ok(None) };
        let vips: Vec<&Vip> = services.of(to).filter(|vip| vip.protocol == protocol.as_str()).collect();
        if vips.is_empty() {
            let pods = self.ports.iter().filter(|port| port.kind.is_empty()).map(|port| port.name.as_str());
            let known = pods.chain(services.names()).chain(self.nodes.keys().map(String::as_str));
            return Err(NoEndpoint::Unknown {
                kind: "address, pod, service or node",
                name: to.to_owned(),
                known: known.map(str::to_owned).collect(),
            });
        }
        match vips.iter().find(|vip| port.is_none_or(|port| vip.address.port() == port)) {
            Some(vip) => Ok(Some(Destination {
                address: vip.address.ip(),
                port: vip.address.port(),
                of_service: true,
            })),
            None => Err(NoEndpoint::NoSuchPort {
                service: to.to_owned(),
                offered: vips.iter().map(|vip| vip.address.to_string()).collect(),
            }),
        }
    }
}

/// An address with the port that the protocol needs.
fn at(address: IpAddr, protocol: Protocol, port: Option<u16>) -> Result<Destination, NoEndpoint> {
    match (protocol, port) {
        (Protocol::Icmp, _) => Ok(Destination { address, port: 0, of_service: false }),
        (_, Some(port)) => Ok(Destination { address, port, of_service: false }),
        (_, None) => Err(NoEndpoint::NoPort),
    }
}
