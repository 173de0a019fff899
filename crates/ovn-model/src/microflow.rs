//! Microflows: the packet of which ovn-trace(8) is asked, made from names.

use ipnet::IpNet;
use ovsdb::{Row, Rows, Select, Uuid};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// The ports of a zone, as far as a packet that one of them sends needs them.
#[derive(Clone, Debug, Default)]
pub struct Ports(Vec<Port>);

/// A logical port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its datapath.
    pub datapath: Uuid,
    /// `patch`, `remote`, …; empty for a workload's.
    pub kind: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its addresses, with the length of the prefix where it has one: a router's port.
    pub addresses: Vec<IpNet>,
    /// The port at the other end.
    pub peer: Option<String>,
    /// The chassis that has it.
    pub chassis: Option<Uuid>,
}

impl Port {
    fn new(row: &Row) -> Option<Self> {
        // `"0a:58:0a:f4:00:04 10.244.0.4"`; a switch's port to a router has `router`.
        let words: Vec<&str> = row.strings("mac").flat_map(str::split_whitespace).collect();
        let net = |word: &&str| word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
        Some(Self {
            name: row.text("logical_port")?.to_owned(),
            datapath: row.refs("datapath").next()?,
            kind: row.text("type").unwrap_or_default().to_owned(),
            mac: words.first().filter(|word| word.matches(':').count() == 5).map(|mac| (*mac).to_owned()),
            addresses: words.iter().skip(1).filter_map(net).collect(),
            peer: row.map_get("options", "peer").map(str::to_owned),
            chassis: row.refs("chassis").next(),
        })
    }
}

impl Ports {
    /// What has to be read of the southbound database.
    pub fn select() -> Select {
        Select::from("Port_Binding").columns([
            "logical_port",
            "datapath",
            "mac",
            "type",
            "options",
            "chassis",
        ])
    }

    /// From what [`Self::select`] asked for.
    pub fn new(rows: &Rows) -> Self {
        Self(rows.rows.iter().filter_map(Port::new).collect())
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = &Port> {
        self.0.iter()
    }

    /// The port of this name, or of the pod `namespace/name` on the default network.
    pub fn find(&self, name: &str) -> Option<&Port> {
        let of_pod = name.replacen('/', "_", 1);
        self.0.iter().find(|port| port.name == name || port.name == of_pod)
    }

    /// The port of a datapath that has an address.
    fn with_address(&self, datapath: Uuid, address: IpAddr) -> Option<&Port> {
        self.0
            .iter()
            .find(|port| port.datapath == datapath && port.addresses.iter().any(|net| net.addr() == address))
    }

    /// The router's ports that a datapath is connected to.
    fn gateways(&self, datapath: Uuid) -> impl Iterator<Item = &Port> {
        let peers =
            self.0.iter().filter(move |port| port.datapath == datapath).filter_map(|port| port.peer.as_ref());
        peers.filter_map(|peer| self.0.iter().find(|port| port.name == *peer))
    }
}

/// The virtual addresses of services, from the northbound database.
#[derive(Clone, Debug, Default)]
pub struct Services(Vec<Vip>);

/// A virtual address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vip {
    /// It is a node's own: a node port, or a template of one.
    pub of_node: bool,
    /// `namespace/name`.
    pub service: String,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The address and port.
    pub address: SocketAddr,
}

impl Services {
    /// What has to be read of the northbound database.
    pub fn select() -> Select {
        Select::from("Load_Balancer").columns(["name", "protocol", "vips", "external_ids"])
    }

    /// From what [`Self::select`] asked for.
    pub fn new(rows: &Rows) -> Self {
        let vips = |row: &Row| {
            let service = row.map_get("external_ids", "k8s.ovn.org/owner").unwrap_or_default().to_owned();
            let of_node = !row.text("name").is_some_and(|name| name.ends_with("_cluster"));
            let protocol = row.text("protocol").unwrap_or("tcp").to_owned();
            let vip = |(vip, _): (&str, &str)| {
                Some(Vip {
                    of_node,
                    service: service.clone(),
                    protocol: protocol.clone(),
                    address: vip.parse().ok()?,
                })
            };
            row.map("vips").filter_map(vip).collect::<Vec<_>>()
        };
        let mut all: Vec<Vip> = rows.rows.iter().flat_map(vips).collect();
        all.sort();
        all.dedup();
        Self(all)
    }

    /// Those of a service, cluster addresses first.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Vip> {
        self.0.iter().filter(move |vip| vip.service == service)
    }

    /// All services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|vip| vip.service.as_str()).filter(|name| !name.is_empty())
    }
}

/// Where a packet is to go, as a person names it: an address, a pod of the zone or a service. `Ok(None)`: it is neither
/// an address nor a pod, and `services` were not given.
pub fn destination(
    ports: &Ports,
    services: Option<&Services>,
    to: &str,
    protocol: Protocol,
    port: Option<u16>,
) -> Result<Option<(IpAddr, u16)>, NoDestination> {
    let address = to.parse().ok();
    let address = address.or_else(|| Some(ports.find(to)?.addresses.first()?.addr()));
    if let Some(address) = address {
        return match (protocol, port) {
            (Protocol::Icmp, _) => Ok(Some((address, 0))),
            (_, Some(port)) => Ok(Some((address, port))),
            (_, None) => Err(NoDestination::NoPort),
        };
    }
    let Some(services) = services else { return Ok(None) };
    let vips: Vec<&Vip> = services.of(to).filter(|vip| vip.protocol == protocol.as_str()).collect();
    if vips.is_empty() {
        let pods = ports.iter().filter(|port| port.kind.is_empty()).map(|port| port.name.as_str());
        return Err(NoDestination::Unknown(pods.chain(services.names()).map(str::to_owned).collect()));
    }
    match vips.iter().find(|vip| port.is_none_or(|port| vip.address.port() == port)) {
        Some(vip) => Ok(Some((vip.address.ip(), vip.address.port()))),
        None => Err(NoDestination::NoSuchPort(vips.iter().map(|vip| vip.address.to_string()).collect())),
    }
}

/// Why a name is no destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDestination {
    /// Its port is not given.
    NoPort,
    /// Nothing is called so; these are.
    Unknown(Vec<String>),
    /// The service has other ports: these.
    NoSuchPort(Vec<String>),
}

/// The protocol of a microflow. A parameter of tools too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// What stands in a schema is what the parameter says of itself.
#[schemars(description = "")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// An ICMP or ICMPv6 echo request.
    Icmp,
}

impl Protocol {
    /// As databases and expressions write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Icmp => "icmp",
        }
    }
}

/// A packet that a port sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Microflow {
    inport: String,
    /// The datapath of the port.
    pub datapath: Uuid,
    eth: (String, String),
    ip: (IpAddr, IpAddr),
    protocol: Protocol,
    port: u16,
}

/// Why there is no such packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMicroflow {
    /// It has no MAC address, or no address of the destination's family.
    #[error("port {port} has no address of the family of {to}")]
    NoAddress {
        /// The port.
        port: String,
        /// Where to.
        to: IpAddr,
    },
    /// Nobody to send it to.
    #[error("the datapath of port {port} has neither {to} nor a router's port that could lead there")]
    NoGateway {
        /// The port.
        port: String,
        /// Where to.
        to: IpAddr,
    },
    /// Such a packet never leaves the sender.
    #[error("{to} is an address of port {port} itself")]
    Itself {
        /// The port.
        port: String,
        /// Where to.
        to: IpAddr,
    },
}

/// The source port of the packets that are made here: one of those that no service has.
const SOURCE_PORT: u16 = 40_000;

impl Microflow {
    /// The packet that a port sends to an address. On its own subnet, it is for the MAC address there; beyond, for that
    /// of the router.
    pub fn new(
        ports: &Ports,
        from: &Port,
        to: IpAddr,
        protocol: Protocol,
        port: u16,
    ) -> Result<Self, NoMicroflow> {
        let name = || from.name.clone();
        let same_family = |net: &&IpNet| net.addr().is_ipv4() == to.is_ipv4();
        let source = from.addresses.iter().find(same_family).zip(from.mac.as_ref());
        let Some((source, mac)) = source else { return Err(NoMicroflow::NoAddress { port: name(), to }) };
        if from.addresses.iter().any(|net| net.addr() == to) {
            return Err(NoMicroflow::Itself { port: name(), to });
        }
        let neighbour = ports.with_address(from.datapath, to).and_then(|port| port.mac.as_ref());
        let gateway = || {
            // Of several, the one whose network the sender is on.
            let on_link = |port: &&Port| port.addresses.iter().any(|net| net.contains(&source.addr()));
            ports
                .gateways(from.datapath)
                .find(on_link)
                .or_else(|| ports.gateways(from.datapath).next())?
                .mac
                .as_ref()
        };
        let Some(next) = neighbour.or_else(gateway) else {
            return Err(NoMicroflow::NoGateway { port: name(), to });
        };
        Ok(Self {
            inport: name(),
            datapath: from.datapath,
            eth: (mac.clone(), next.clone()),
            ip: (source.addr(), to),
            protocol,
            port,
        })
    }
}

impl Microflow {
    /// The logical port that sends it.
    pub fn inport(&self) -> &str {
        &self.inport
    }

    /// As a match of OpenFlow's (ovs-fields(7)), coming in from a port.
    pub fn openflow(&self, in_port: u16) -> String {
        let Self { eth, ip, protocol, port, .. } = self;
        let four = ip.1.is_ipv4();
        let addresses = if four { "nw" } else { "ipv6" };
        let (name, ports) = match (protocol, four) {
            (Protocol::Tcp, true) => ("tcp", "tcp"),
            (Protocol::Tcp, false) => ("tcp6", "tcp"),
            (Protocol::Udp, true) => ("udp", "udp"),
            (Protocol::Udp, false) => ("udp6", "udp"),
            (Protocol::Sctp, true) => ("sctp", "sctp"),
            (Protocol::Sctp, false) => ("sctp6", "sctp"),
            (Protocol::Icmp, true) => ("icmp", ""),
            (Protocol::Icmp, false) => ("icmp6", ""),
        };
        let rest = match (ports, four) {
            ("", true) => "icmp_type=8,icmp_code=0".to_owned(),
            ("", false) => "icmpv6_type=128,icmpv6_code=0".to_owned(),
            (ports, _) => format!("{ports}_src={SOURCE_PORT},{ports}_dst={port}"),
        };
        format!(
            "in_port={in_port},{name},dl_src={},dl_dst={},{addresses}_src={},{addresses}_dst={},nw_ttl=64,{rest}",
            eth.0, eth.1, ip.0, ip.1
        )
    }
}

/// As an expression of OVN's.
impl fmt::Display for Microflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inport, eth, ip, protocol, port, .. } = self;
        let family = if ip.1.is_ipv4() { "ip4" } else { "ip6" };
        write!(f, "inport==\"{inport}\" && eth.src=={} && eth.dst=={}", eth.0, eth.1)?;
        write!(f, " && {family}.src=={} && {family}.dst=={} && ip.ttl==64", ip.0, ip.1)?;
        match (protocol, ip.1.is_ipv4()) {
            (Protocol::Tcp | Protocol::Udp | Protocol::Sctp, _) => {
                let name = protocol.as_str();
                write!(f, " && {name} && {name}.src=={SOURCE_PORT} && {name}.dst=={port}")
            }
            (Protocol::Icmp, true) => f.write_str(" && icmp4.type==8 && icmp4.code==0"),
            (Protocol::Icmp, false) => f.write_str(" && icmp6.type==128 && icmp6.code==0"),
        }
    }
}
