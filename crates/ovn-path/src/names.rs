//! Resolves the names of the two ends of a connection.

use crate::{
    Protocol,
    ports::{Port, Ports},
    services::{Services, Vip},
};
use ovsdb::{Rows, Schema, Select};
use std::{collections::BTreeMap, net::IpAddr};

/// The ports, nodes and services that a name can refer to in a zone.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The logical ports of the zone.
    pub ports: Ports,
    /// The tunnel endpoint addresses of the nodes, by node name.
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
    /// The services; `None` if they were not read.
    pub services: Option<Services>,
}

/// The sender of a packet.
#[derive(Clone, Copy, Debug)]
pub enum Sender<'a> {
    /// The packet starts at this logical port.
    Port(&'a Port),
    /// The packet comes from outside the cluster, through the port of the external network.
    Outside {
        /// The localnet port through which the packet enters.
        port: &'a Port,
        /// The router port that the external switch connects to.
        router: &'a Port,
        /// The source address of the packet.
        address: IpAddr,
    },
}

/// The destination of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The destination address.
    pub address: IpAddr,
    /// The destination port; 0 for a protocol without ports.
    pub port: u16,
    /// True for the virtual address of a service.
    pub of_service: bool,
}

/// The reason why a name is not an end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// The destination port is missing.
    #[error("parameter `port` is missing")]
    NoPort,
    /// Nothing has this name.
    #[error("no {kind} is named `{name}`")]
    Unknown {
        /// The kinds of objects that the name could refer to.
        kind: &'static str,
        /// The unknown name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The service does not have this port.
    #[error("service {service} has no port with this number and protocol")]
    NoSuchPort {
        /// The name of the service.
        service: String,
        /// The protocols, addresses and ports that the service has.
        offered: Vec<String>,
    },
    /// The address is outside the zone, and packets from outside cannot enter this zone.
    #[error("no pod in this zone has the address {0}, and this zone has no port to an external network")]
    NoOutside(IpAddr),
    /// The pod runs on another node, whose zone has no port for it.
    #[error("pod {pod} runs on {node}, but the zone of {node} has no logical port for it")]
    NoLogicalPort {
        /// The pod, as `namespace/name`.
        pod: String,
        /// The name of the pod's node.
        node: String,
    },
    /// The sender does not run on the node where the trace starts.
    #[error("pod {pod} runs on {node}, and the trace would start on another node")]
    Elsewhere {
        /// The pod, as `namespace/name`.
        pod: String,
        /// The name of the pod's node.
        node: String,
    },
}

impl NoEndpoint {
    /// Returns a hint on what to do instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoPort => "Pass the destination port, or protocol=icmp, which needs no port.".into(),
            Self::Unknown { known, .. } => format!("Known names: {}.", known.join(", ")),
            Self::NoSuchPort { offered, .. } => {
                format!("It has: {}.", offered.join(", "))
            }
            Self::NoOutside(_) => "Pass the sender's node as node_name, or the sender's pod as from.".into(),
            Self::Elsewhere { node, .. } => format!("Pass node_name={node}, or leave node_name out."),
            Self::NoLogicalPort { .. } => {
                "A host-network pod has the address of its node: pass that address as `to`, or the name of the node as \
                 `from`."
                    .into()
            }
        }
    }
}

impl Names {
    /// Returns what the caller must read from the southbound database.
    pub fn selects(schema: &Schema) -> Vec<Select> {
        let nodes = [("Chassis", ["name", "hostname"]), ("Encap", ["chassis_name", "ip"])];
        let known = nodes.into_iter().filter(|(table, columns)| {
            let has = |column: &&str| schema.table(table).is_some_and(|it| it.column(column).is_some());
            columns.iter().all(has)
        });
        let nodes = known.map(|(table, columns)| Select::from(table).columns(columns));
        [Ports::select()].into_iter().chain(nodes).collect()
    }

    /// Builds the names from the rows that [`Self::selects`] asks for.
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

    /// Finds the sender: a pod (`namespace/name`), a logical port, a node, or an address of a pod or outside the
    /// cluster.
    ///
    /// # Errors
    /// Returns an error if nothing in this zone has the name.
    pub fn sender(&self, from: &str) -> Result<Sender<'_>, NoEndpoint> {
        let management = || self.ports.find(&format!("k8s-{from}")).filter(|_| self.nodes.contains_key(from));
        if let Some(port) = self.ports.find(from).or_else(management) {
            return Ok(Sender::Port(port));
        }
        let Ok(address) = from.parse() else {
            let ports = self.ports.iter().map(|port| port.name.clone());
            return Err(NoEndpoint::Unknown {
                kind: "node, address or logical port of this zone",
                name: from.to_owned(),
                known: ports.chain(self.nodes.keys().cloned()).collect(),
            });
        };
        if let Some(port) = self.ports.of_pod_with(address) {
            return Ok(Sender::Port(port));
        }
        // The default network's external switch has the shortest name; other networks put a prefix before the name of
        // theirs.
        let localnet = self.ports.iter().filter(|port| port.kind == "localnet");
        let mut entries: Vec<(&Port, &Port)> =
            localnet.filter_map(|port| Some((port, self.ports.gateways(port.datapath).next()?))).collect();
        entries.sort_by(|a, b| (a.1.name.len(), &a.0.name).cmp(&(b.1.name.len(), &b.0.name)));
        match entries.first() {
            Some(&(port, router)) => Ok(Sender::Outside { port, router, address }),
            None => Err(NoEndpoint::NoOutside(address)),
        }
    }

    /// Finds the destination: an address, a pod or port of the zone, a service or a node. Returns `Ok(None)` if the
    /// name may be a service but the services were not read.
    ///
    /// # Errors
    /// Returns an error if nothing has this name, or if the destination port is missing or unknown.
    pub fn destination(
        &self,
        to: &str,
        protocol: Protocol,
        port: Option<u16>,
    ) -> Result<Option<Destination>, NoEndpoint> {
        let of_port = || Some(self.ports.find(to)?.addresses.first()?.addr());
        let of_node = || self.nodes.get(to)?.first().copied();
        if let Some(address) = to.parse().ok().or_else(of_port).or_else(of_node) {
            return with_port(address, protocol, port).map(Some);
        }
        let Some(services) = &self.services else { return Ok(None) };
        let vips: Vec<&Vip> = services.of(to).collect();
        if vips.is_empty() {
            let pods = self.ports.iter().filter(|port| port.kind.is_empty()).map(|port| port.name.as_str());
            let known = pods.chain(services.names()).chain(self.nodes.keys().map(String::as_str));
            return Err(NoEndpoint::Unknown {
                kind: "address, pod, service or node",
                name: to.to_owned(),
                known: known.map(str::to_owned).collect(),
            });
        }
        let mut same = vips.iter().filter(|vip| vip.protocol == protocol.as_str());
        match same.find(|vip| port.is_none_or(|port| vip.address.port() == port)) {
            Some(vip) => Ok(Some(Destination {
                address: vip.address.ip(),
                port: vip.address.port(),
                of_service: true,
            })),
            None => Err(NoEndpoint::NoSuchPort {
                service: to.to_owned(),
                offered: vips.iter().map(|vip| format!("{} {}", vip.protocol, vip.address)).collect(),
            }),
        }
    }
}

/// Combines an address with the port, which every protocol except ICMP needs.
fn with_port(address: IpAddr, protocol: Protocol, port: Option<u16>) -> Result<Destination, NoEndpoint> {
    match (protocol, port) {
        (Protocol::Icmp, _) => Ok(Destination { address, port: 0, of_service: false }),
        (_, Some(port)) => Ok(Destination { address, port, of_service: false }),
        (_, None) => Err(NoEndpoint::NoPort),
    }
}
