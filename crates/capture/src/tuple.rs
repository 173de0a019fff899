//! The protocol and both ends of a packet.

use std::{fmt, net::IpAddr};

use crate::frame::{Frame, Icmp, Ip, Network, Transport, UdpContent};

/// The protocol of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// ICMP (RFC 792).
    Icmp,
    /// ICMPv6 (RFC 4443).
    Icmpv6,
    /// ARP (RFC 826). Its ends are protocol addresses.
    Arp,
    /// Fragments of a packet of this IP protocol, if the capture does not have the first fragment, which names ports.
    Fragments(u8),
    /// Another protocol, by its IP protocol number.
    Ip(u8),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("TCP"),
            Self::Udp => f.write_str("UDP"),
            Self::Sctp => f.write_str("SCTP"),
            Self::Icmp => f.write_str("ICMP"),
            Self::Icmpv6 => f.write_str("ICMPv6"),
            Self::Arp => f.write_str("ARP"),
            Self::Fragments(6) => f.write_str("fragments of TCP"),
            Self::Fragments(17) => f.write_str("fragments of UDP"),
            Self::Fragments(number) => write!(f, "fragments of IP protocol {number}"),
            Self::Ip(50) => f.write_str("ESP"),
            Self::Ip(number) => write!(f, "IP protocol {number}"),
        }
    }
}

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// The address.
    pub address: IpAddr,
    /// The port, if the protocol has ports.
    pub port: Option<u16>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (IpAddr::V6(address), Some(port)) => write!(f, "[{address}]:{port}"),
            (address, Some(port)) => write!(f, "{address}:{port}"),
            (address, None) => write!(f, "{address}"),
        }
    }
}

/// The protocol of a packet, and where it comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// The protocol.
    pub protocol: Protocol,
    /// The end that sends the packet.
    pub source: End,
    /// The end that the packet goes to.
    pub destination: End,
}

impl Tuple {
    /// Reads the tuple of an IP packet. A fragment that is not the first has no ports.
    #[must_use]
    pub fn of(ip: &Ip) -> Self {
        let (protocol, ports) = match &ip.transport {
            Transport::Tcp(tcp) => (Protocol::Tcp, Some((tcp.source, tcp.destination))),
            Transport::Udp(udp) => (Protocol::Udp, Some((udp.source, udp.destination))),
            Transport::Sctp(source, destination, _) => (Protocol::Sctp, Some((*source, *destination))),
            Transport::Ports(source, destination, _) => {
                let protocol = match ip.protocol {
                    6 => Protocol::Tcp,
                    17 => Protocol::Udp,
                    132 => Protocol::Sctp,
                    other => Protocol::Ip(other),
                };
                (protocol, Some((*source, *destination)))
            }
            Transport::Icmp(icmp) => (if icmp.v6 { Protocol::Icmpv6 } else { Protocol::Icmp }, None),
            Transport::Other if ip.fragment.is_some() => (Protocol::Fragments(ip.protocol), None),
            Transport::Other | Transport::Unknown => (Protocol::Ip(ip.protocol), None),
        };
        Self {
            protocol,
            source: End { address: ip.source, port: ports.map(|ports| ports.0) },
            destination: End { address: ip.destination, port: ports.map(|ports| ports.1) },
        }
    }

    /// Returns the tuple of a reply.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { protocol: self.protocol, source: self.destination, destination: self.source }
    }

    /// Returns both ends, the lesser end first, and whether the source is the greater end.
    pub(crate) fn ordered(self) -> ([End; 2], bool) {
        let Self { source, destination, .. } = self;
        if source <= destination { ([source, destination], false) } else { ([destination, source], true) }
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} > {}", self.protocol, self.source, self.destination)
    }
}

/// The innermost tunnel around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// The source and the destination of the outer packet.
    pub outer: (IpAddr, IpAddr),
    /// The virtual network identifier.
    pub vni: u32,
    /// The ports of the datapath, if the tunnel has OVN's option.
    pub ports: Option<crate::frame::OvnPorts>,
    /// The tunnel marks its packet as a control packet.
    pub control: bool,
}

/// The tunnels that [`innermost`] follows. Real traffic has one.
const DEPTH: usize = 8;

/// Goes into the tunnels of a frame. Returns the innermost frame and its tunnel, and calls `layer` with each frame on
/// the way, the outermost first.
pub(crate) fn innermost<'a>(
    frame: &'a Frame,
    mut layer: impl FnMut(&'a Frame),
) -> (&'a Frame, Option<Tunnel>) {
    let (mut inner, mut tunnel) = (frame, None);
    layer(inner);
    for _ in 0..DEPTH {
        let Network::Ip(ip) = &inner.network else { break };
        let Transport::Udp(udp) = &ip.transport else { break };
        let UdpContent::Geneve(geneve) = &udp.content else { break };
        tunnel = Some(Tunnel {
            outer: (ip.source, ip.destination),
            vni: geneve.vni,
            ports: geneve.ports,
            control: geneve.control,
        });
        inner = &geneve.inner;
        layer(inner);
    }
    (inner, tunnel)
}

/// Returns whether the ICMP message is an error (RFC 792; RFC 4443 section 2.1).
pub(crate) fn is_error(icmp: &Icmp) -> bool {
    if icmp.v6 { icmp.kind < 128 } else { matches!(icmp.kind, 3 | 4 | 5 | 11 | 12) }
}
