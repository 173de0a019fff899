//! Headers of links: Ethernet, VLAN tags, cooked captures; and ARP.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{ArpPacketSlice, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::{
    Arp, Frame, FrameProblem, LinkType, MacAddress, Network,
    input::{Depth, Input},
    ip,
};

/// The maximum number of VLAN tags in a frame.
const MAX_VLANS: usize = 4;

/// An EtherType of VLAN tags that switches used before IEEE 802.1ad.
const OLD_OUTER_VLAN: u16 = 0x9100;

impl LinkType {
    /// Returns the link type with this number in a capture file.
    pub fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Ethernet,
            101 | 228 | 229 => Self::Ip,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            0 | 108 => Self::Loopback,
            other => Self::Other(other),
        }
    }

    /// Returns the number in a capture file. If several numbers have the same meaning, it is the most general one.
    pub fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Ip => 101,
            Self::LinuxCooked => 113,
            Self::LinuxCooked2 => 276,
            Self::Loopback => 0,
            Self::Other(other) => other,
        }
    }
}

impl Frame {
    /// Dissects the bytes that a capture has of a frame.
    ///
    /// Damage is no error: the frame says how far it is understood ([`Frame::problem`]).
    pub fn dissect(link: LinkType, bytes: &[u8]) -> Self {
        dissect(link, Input::new(bytes, None), Depth::default())
    }

    /// Dissects the bytes that a capture has of a frame with this length in bytes on the wire.
    ///
    /// With the length, a frame that is too short is malformed and not cut, and a packet that is longer than its IP
    /// header can say has a length.
    pub fn dissect_of(link: LinkType, bytes: &[u8], length: u32) -> Self {
        let wire = usize::try_from(length).ok().filter(|length| *length > 0);
        dissect(link, Input::new(bytes, wire), Depth::default())
    }
}

/// What a link says before the packet.
struct Link {
    macs: (Option<MacAddress>, Option<MacAddress>),
    /// The length of the header, and the type of what follows.
    header: usize,
    kind: u16,
}

fn dissect(link: LinkType, input: Input<'_>, depth: Depth) -> Frame {
    let without =
        |problem| Frame { macs: (None, None), vlans: Vec::new(), network: Network::Unknown, problem };
    let (name, link) = match link {
        LinkType::Ethernet => return ethernet(input, depth),
        LinkType::Ip => ("IP", raw(input)),
        LinkType::LinuxCooked => ("Linux cooked", cooked(input, 14, 16, 4, 6)),
        LinkType::LinuxCooked2 => ("Linux cooked", cooked(input, 0, 20, 11, 12)),
        LinkType::Loopback => ("loopback", loopback(input)),
        LinkType::Other(_) => return without(None),
    };
    match link {
        Some(Link { macs, header, kind }) => follow(macs, kind, input.after(header), depth),
        None => without(Some(input.lacks(name))),
    }
}

/// Dissects an Ethernet frame.
pub(super) fn ethernet(input: Input<'_>, depth: Depth) -> Frame {
    match Ethernet2HeaderSlice::from_slice(input.bytes) {
        Ok(header) => {
            let macs = (Some(header.source()), Some(header.destination()));
            follow(macs, header.ether_type().0, input.after(header.slice().len()), depth)
        }
        Err(_) => Frame {
            macs: (None, None),
            vlans: Vec::new(),
            network: Network::Unknown,
            problem: Some(input.lacks("Ethernet")),
        },
    }
}

/// Returns the type of a packet without a header of a link, by the version of IP.
fn raw(input: Input<'_>) -> Option<Link> {
    let kind = match input.u8(0)? >> 4 {
        6 => ether_type::IPV6.0,
        // The dissector of IPv4 says that other versions are malformed.
        _ => ether_type::IPV4.0,
    };
    Some(Link { macs: (None, None), header: 0, kind })
}

/// Reads a header of a cooked capture, by the places of the protocol, the end, the length of the address and the
/// address (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>, `…_SLL2.html`).
fn cooked(input: Input<'_>, protocol: usize, end: usize, length: usize, address: usize) -> Option<Link> {
    input.bytes.get(..end)?;
    let kind = input.u16(protocol)?;
    // The length has two bytes in the first version, and one in the second.
    let has_mac = input.u8(length + usize::from(end == 16)) == Some(6);
    let source = if has_mac { input.array(address) } else { None };
    Some(Link { macs: (source, None), header: end, kind })
}

/// Reads the address family of BSD's loopback. Its byte order is that of the capturing host, and the numbers of IPv6
/// differ between systems (<https://www.tcpdump.org/linktypes.html>).
fn loopback(input: Input<'_>) -> Option<Link> {
    let family = input.u32(0)?;
    let family = if family > u32::from(u16::MAX) { family.swap_bytes() } else { family };
    let kind = match family {
        2 => ether_type::IPV4.0,
        10 | 24 | 28 | 30 => ether_type::IPV6.0,
        _ => 0,
    };
    Some(Link { macs: (None, None), header: 4, kind })
}

/// Dissects VLAN tags and the packet after them.
pub(super) fn follow(
    macs: (Option<MacAddress>, Option<MacAddress>),
    mut kind: u16,
    mut input: Input<'_>,
    depth: Depth,
) -> Frame {
    let mut vlans = Vec::new();
    while is_vlan(kind) && vlans.len() < MAX_VLANS {
        match SingleVlanHeaderSlice::from_slice(input.bytes) {
            Ok(tag) => {
                vlans.push(tag.vlan_identifier().value());
                kind = tag.ether_type().0;
                input = input.after(tag.slice().len());
            }
            Err(_) => {
                vlans.extend(input.u16(0).map(|tag| tag & 0xfff));
                return Frame { macs, vlans, network: Network::Unknown, problem: Some(input.lacks("VLAN")) };
            }
        }
    }
    let result = if kind == ether_type::IPV4.0 {
        ip::v4(input, depth).map(|(ip, problem)| (Network::Ip(Box::new(ip)), problem))
    } else if kind == ether_type::IPV6.0 {
        ip::v6(input, depth).map(|(ip, problem)| (Network::Ip(Box::new(ip)), problem))
    } else if kind == ether_type::ARP.0 {
        arp(input).map(|network| (network, None))
    } else if is_vlan(kind) {
        Err(FrameProblem::Malformed("VLAN"))
    } else {
        Ok((Network::Other(kind), None))
    };
    match result {
        Ok((network, problem)) => Frame { macs, vlans, network, problem },
        Err(problem) => Frame { macs, vlans, network: Network::Other(kind), problem: Some(problem) },
    }
}

fn is_vlan(kind: u16) -> bool {
    [ether_type::VLAN_TAGGED_FRAME.0, ether_type::PROVIDER_BRIDGING.0, OLD_OUTER_VLAN].contains(&kind)
}

/// Dissects ARP. ARP of other hardware or protocols is `Other`.
fn arp(input: Input<'_>) -> Result<Network, FrameProblem> {
    let packet = ArpPacketSlice::from_slice(input.bytes).map_err(|_| input.lacks("ARP"))?;
    let (hardware, protocol) = (packet.hw_addr_type().0, packet.proto_addr_type().0);
    let end = |hardware: &[u8], protocol: &[u8]| {
        let protocol: [u8; 4] = protocol.try_into().ok()?;
        Some((hardware.try_into().ok()?, IpAddr::V4(Ipv4Addr::from(protocol))))
    };
    let sender = end(packet.sender_hw_addr(), packet.sender_protocol_addr());
    let target = end(packet.target_hw_addr(), packet.target_protocol_addr());
    match (sender, target) {
        (Some(sender), Some(target)) if hardware == 1 && protocol == ether_type::IPV4.0 => {
            Ok(Network::Arp(Arp { operation: packet.operation().0, sender, target }))
        }
        _ => Ok(Network::Other(ether_type::ARP.0)),
    }
}
