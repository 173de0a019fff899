//! Selects recorded packets.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::frame::{Frame, Ip, Network, Transport, UdpContent};

/// Which packets are wanted. Empty conditions accept every packet.
///
/// A frame can have several packets: in tunnels, and in an ICMP error the packet that the error is about. One of them
/// must meet all conditions. So a condition on a pod's address selects the tunneled packets of the pod and the errors
/// about them, and a condition on a node's address and UDP selects the tunnels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Each prefix contains the source or the destination. Two prefixes select what goes between them, in both
    /// directions. For ARP the ends are the two protocol addresses, and for neighbor discovery the address that it is
    /// about is one more end.
    pub addresses: Vec<IpNet>,
    /// The prefix contains the source.
    pub source: Option<IpNet>,
    /// The prefix contains the destination.
    pub destination: Option<IpNet>,
    /// Each port is the source or the destination port.
    pub ports: Vec<u16>,
    /// The source port.
    pub source_port: Option<u16>,
    /// The destination port.
    pub destination_port: Option<u16>,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// A TCP segment has at least one of these flags ([`RST`](crate::frame::Tcp::RST) and so on), or 0 for no condition.
    pub flags: u16,
    /// The first time, in nanoseconds since 1970.
    pub from: Option<u64>,
    /// The last time, in nanoseconds since 1970.
    pub until: Option<u64>,
}

/// A protocol to select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// ICMP of either version, with neighbor discovery.
    Icmp,
    /// ARP.
    Arp,
    /// The protocol with this number in an IP header: 6 is TCP, 17 UDP, 132 SCTP.
    Number(u8),
}

impl Protocol {
    /// The protocol TCP.
    pub const TCP: Self = Self::Number(6);
    /// The protocol UDP.
    pub const UDP: Self = Self::Number(17);
    /// The protocol SCTP.
    pub const SCTP: Self = Self::Number(132);
}

/// What conditions are about.
struct Ends {
    source: IpAddr,
    destination: IpAddr,
    /// The address that a message of neighbor discovery is about.
    about: Option<IpAddr>,
    ports: Option<(u16, u16)>,
    protocol: Protocol,
    flags: u16,
}

impl Select {
    /// Returns true if a packet of the frame, captured at this time, is wanted.
    pub fn matches(&self, nanos: u64, frame: &Frame) -> bool {
        let is_in_time =
            self.from.is_none_or(|from| from <= nanos) && self.until.is_none_or(|until| nanos <= until);
        is_in_time && (self.has_only_times() || self.matches_frame(frame))
    }

    /// Returns true if every packet meets the conditions, also one that is not understood.
    fn has_only_times(&self) -> bool {
        *self == Self { from: self.from, until: self.until, ..Self::default() }
    }

    fn matches_frame(&self, frame: &Frame) -> bool {
        match &frame.network {
            Network::Ip(ip) => self.matches_ip(ip),
            Network::Arp(arp) => self.accepts(&Ends {
                source: arp.sender.1,
                destination: arp.target.1,
                about: None,
                ports: None,
                protocol: Protocol::Arp,
                flags: 0,
            }),
            Network::Other(_) | Network::Unknown => false,
        }
    }

    fn matches_ip(&self, ip: &Ip) -> bool {
        let mut ends = Ends {
            source: ip.source,
            destination: ip.destination,
            about: None,
            ports: None,
            protocol: Protocol::Number(ip.protocol),
            flags: 0,
        };
        let inside = match &ip.transport {
            Transport::Tcp(tcp) => {
                (ends.ports, ends.flags) = (Some((tcp.source, tcp.destination)), tcp.flags);
                false
            }
            Transport::Udp(udp) => {
                ends.ports = Some((udp.source, udp.destination));
                matches!(&udp.content, UdpContent::Geneve(geneve) if self.matches_frame(&geneve.inner))
            }
            Transport::Sctp(source, destination, _) | Transport::Ports(source, destination, _) => {
                ends.ports = Some((*source, *destination));
                false
            }
            Transport::Icmp(icmp) => {
                ends.about = icmp.neighbor;
                icmp.about.as_ref().is_some_and(|about| self.matches_ip(about))
            }
            Transport::Other | Transport::Unknown => false,
        };
        inside || self.accepts(&ends)
    }

    fn accepts(&self, ends: &Ends) -> bool {
        let &Ends { source, destination, about, ports, protocol, flags } = ends;
        let is_end = |prefix: &IpNet| {
            prefix.contains(&source)
                || prefix.contains(&destination)
                || about.is_some_and(|about| prefix.contains(&about))
        };
        let (source_port, destination_port) = ports.unzip();
        self.addresses.iter().all(is_end)
            && self.source.is_none_or(|prefix| prefix.contains(&source))
            && self.destination.is_none_or(|prefix| prefix.contains(&destination))
            && self.ports.iter().all(|port| [source_port, destination_port].contains(&Some(*port)))
            && (self.source_port.is_none() || self.source_port == source_port)
            && (self.destination_port.is_none() || self.destination_port == destination_port)
            && self.accepts_protocol(protocol)
            && (self.flags == 0 || self.flags & flags != 0)
    }

    fn accepts_protocol(&self, protocol: Protocol) -> bool {
        match self.protocol {
            None => true,
            Some(Protocol::Icmp) => matches!(protocol, Protocol::Number(1 | 58)),
            Some(wanted) => wanted == protocol,
        }
    }
}
