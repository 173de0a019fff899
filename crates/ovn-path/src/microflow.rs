//! Builds the packet that a sender sends to an address.

use crate::{
    names::Sender,
    ports::{Port, Ports},
};
use ipnet::IpNet;
use ovsdb::Uuid;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, net::IpAddr};

/// The protocol of a microflow. It is also a parameter of tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// The schema shows the documentation of the parameter instead.
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
    /// Returns the name that databases and expressions use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Icmp => "icmp",
        }
    }
}

/// A packet that a logical port sends.
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

/// The reason why a sender cannot send a packet to an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPacket {
    /// The sender has no MAC address, or no IP address of the destination's family.
    #[error("port {port} has no address of the same family (IPv4 or IPv6) as {to}")]
    NoAddress {
        /// The logical port of the sender.
        port: String,
        /// The destination address.
        to: IpAddr,
    },
    /// The sender's datapath has neither the destination nor a router port.
    #[error("the datapath of port {port} has neither a port with {to} nor a router port")]
    NoGateway {
        /// The logical port of the sender.
        port: String,
        /// The destination address.
        to: IpAddr,
    },
    /// The destination is the sender itself, so the packet never leaves it.
    #[error("{to} is an address of the sending port {port}")]
    Itself {
        /// The logical port of the sender.
        port: String,
        /// The destination address.
        to: IpAddr,
    },
}

impl NoPacket {
    /// Returns a hint on what to do instead.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoAddress { .. } => "Pass a destination of the other address family.",
            Self::NoGateway { .. } => "Pass the port of a pod as the sender.",
            Self::Itself { .. } => {
                "Pass another destination: the pod's own kernel delivers this packet, without OVN."
            }
        }
    }
}

/// The source MAC address of packets from outside the cluster. Its value does not matter.
const OUTSIDE_MAC: &str = "02:00:00:00:00:01";

/// The source port of all packets: a high port that services do not use.
const SOURCE_PORT: u16 = 40_000;

impl Microflow {
    /// Builds the packet that a sender sends to an address. The destination MAC address is that of the destination on
    /// the sender's own subnet, or else that of the router.
    ///
    /// # Errors
    /// Returns an error if the sender cannot send such a packet.
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
            // If there are several router ports, prefer the one whose network contains the sender.
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
    /// Returns the name of the logical port that sends the packet.
    pub fn inport(&self) -> &str {
        &self.inport
    }

    /// Returns the packet as an OpenFlow match (ovs-fields(7)) with the given ingress port.
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

/// Prints the packet as an OVN expression.
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
