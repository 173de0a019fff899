//! The packet that a sender sends to an address.

use crate::{
    names::Sender,
    ports::{Port, Ports},
};
use ipnet::IpNet;
use ovsdb::Uuid;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, net::IpAddr};

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
pub enum NoPacket {
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

impl NoPacket {
    /// What to do instead.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoAddress { .. } => "Give a destination of the other family of addresses.",
            Self::NoGateway { .. } => "Give a port of a pod as the sender.",
            Self::Itself { .. } => "Give another destination: the pod's own kernel delivers this packet.",
        }
    }
}

/// The MAC address of whatever sends a packet from outside: any will do.
const OUTSIDE_MAC: &str = "02:00:00:00:00:01";

/// The source port of the packets that are made here: one of those that no service has.
const SOURCE_PORT: u16 = 40_000;

impl Microflow {
    /// The packet that a sender sends to an address. On the sender's own subnet, it is for the MAC address there; beyond, for
    /// that of the router.
    ///
    /// # Errors
    /// If the sender cannot send such a packet.
    pub fn new(
        ports: &Ports,
        from: Sender<'_>,
        to: IpAddr,
        protocol: Protocol,
        port: u16,
    ) -> Result<Self, NoPacket> {
        match from {
            Sender::Port(from) => Self::of_port(ports, from, to, protocol, port),
            Sender::Outside { port: inport, router, address } => {
                let mac = router.mac.clone().filter(|_| address.is_ipv4() == to.is_ipv4());
                Ok(Self {
                    inport: inport.name.clone(),
                    datapath: inport.datapath,
                    eth: (
                        OUTSIDE_MAC.to_owned(),
                        mac.ok_or_else(|| NoPacket::NoAddress { port: inport.name.clone(), to })?,
                    ),
                    ip: (address, to),
                    protocol,
                    port,
                })
            }
        }
    }

    fn of_port(
        ports: &Ports,
        from: &Port,
        to: IpAddr,
        protocol: Protocol,
        port: u16,
    ) -> Result<Self, NoPacket> {
        let name = || from.name.clone();
        let same_family = |net: &&IpNet| net.addr().is_ipv4() == to.is_ipv4();
        let source = from.addresses.iter().find(same_family).zip(from.mac.as_ref());
        let Some((source, mac)) = source else { return Err(NoPacket::NoAddress { port: name(), to }) };
        if from.addresses.iter().any(|net| net.addr() == to) {
            return Err(NoPacket::Itself { port: name(), to });
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
            return Err(NoPacket::NoGateway { port: name(), to });
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
