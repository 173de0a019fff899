//! What the join keeps of a packet.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    frame::{Ip, Tcp, Transport},
    tuple::Tuple,
};

/// A packet at a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenPacket {
    pub(super) nanos: u64,
    /// The hash of what no router, tunnel or NAT changes.
    pub(super) identity: u64,
    /// The index of the tuple.
    pub(super) tuple: u32,
    /// The index of the tunnel and VLAN.
    pub(super) lane: u32,
    pub(super) point: u16,
    pub(super) ttl: u8,
    pub(super) ecn: u8,
    /// No other packet has this identity within a second.
    pub(super) identified: bool,
    pub(super) is_fragment: bool,
    /// The identification of IPv4.
    pub(super) id: u16,
    /// The sequence number, the acknowledgment and the payload of a TCP segment; the identifier and the sequence number
    /// of an echo message.
    pub(super) numbers: Numbers,
}

/// The numbers of a packet that tell what happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    Tcp { sequence: u32, acknowledgment: Option<u32>, payload: u32, signature: Option<u64> },
    Echo { id: u16, sequence: u16, request: bool },
    Other,
}

/// The bits of the flags that no router changes. Congestion notification may change the others.
const FLAGS: u16 = 0x3f;

/// Reads what the join needs. Returns `None` if the headers that identify the packet are missing.
pub(super) fn observe(ip: &Ip) -> Option<SeenPacket> {
    let mut hasher = DefaultHasher::new();
    let offset = ip.fragment.map(|fragment| fragment.offset);
    (ip.protocol, ip.id, ip.length, offset).hash(&mut hasher);
    let has_id = ip.id.is_some_and(|id| id != 0);
    let mut identified = has_id;
    let numbers = match &ip.transport {
        Transport::Tcp(tcp) => {
            let flags = tcp.flags & FLAGS;
            let segment = (tcp.sequence, tcp.acknowledgment, flags, tcp.payload, tcp.timestamps);
            segment.hash(&mut hasher);
            let acknowledgment = (tcp.flags & Tcp::ACK != 0).then_some(tcp.acknowledgment);
            // Enough random bits for an inference: a sequence number with an acknowledgment or timestamps.
            let random = acknowledgment.is_some() || tcp.timestamps.is_some();
            let signature = random.then(|| {
                let mut hasher = DefaultHasher::new();
                (segment, ip.id).hash(&mut hasher);
                hasher.finish()
            });
            Numbers::Tcp { sequence: tcp.sequence, acknowledgment, payload: tcp.payload, signature }
        }
        Transport::Udp(udp) => {
            udp.payload.hash(&mut hasher);
            Numbers::Other
        }
        Transport::Icmp(icmp) => {
            (icmp.kind, icmp.code, icmp.echo, icmp.mtu).hash(&mut hasher);
            icmp.about.as_ref().map(|about| (about.id, about.length)).hash(&mut hasher);
            let request = icmp.kind == if icmp.v6 { 128 } else { 8 };
            match icmp.echo {
                Some((id, sequence)) => {
                    identified = true;
                    Numbers::Echo { id, sequence, request }
                }
                None => Numbers::Other,
            }
        }
        Transport::Sctp(_, _, tag) => {
            tag.hash(&mut hasher);
            Numbers::Other
        }
        Transport::Other => Numbers::Other,
        Transport::Ports(..) | Transport::Unknown => return None,
    };
    Some(SeenPacket {
        nanos: 0,
        identity: hasher.finish(),
        tuple: 0,
        lane: 0,
        point: 0,
        ttl: ip.ttl,
        ecn: ip.ecn,
        identified,
        is_fragment: ip.fragment.is_some(),
        id: ip.id.and_then(|id| u16::try_from(id).ok()).unwrap_or_default(),
        numbers,
    })
}

/// Returns whether a NAT may have made one tuple of the other: the protocol is the same, and an address or a port of
/// an end is kept.
pub(super) fn may_be_translated(a: Tuple, b: Tuple) -> bool {
    a.protocol == b.protocol
        && (a.source.address == b.source.address
            || a.destination.address == b.destination.address
            || a.source.port == b.source.port
            || a.destination.port == b.destination.port)
}
