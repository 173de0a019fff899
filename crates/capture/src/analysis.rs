//! What happened in a capture.
//!
//! [`Analysis`] takes the frames in the order of their times and keeps a bounded state: conversations, open questions,
//! and lists of what went wrong. What finds no room is counted, and the report says so. A conversation is that of the
//! innermost packet, at one point of the capture. A capture on all interfaces of a node sees a packet several times:
//! before and in a tunnel, which are two conversations, and on several interfaces, which are copies. The conversation
//! counts copies as frames, as tshark(1) does, but not as retransmissions, as tshark does.

mod dns;
mod finding;
mod fragment;
mod icmp;
mod neighbour;
mod pending;
mod table;
pub mod tcp;
mod tcp_report;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
};

use self::{
    dns::DnsState,
    fragment::FragmentState,
    icmp::IcmpState,
    neighbour::NeighbourState,
    table::{Fingerprint, Lookup, Scope, Table},
};
pub use self::{
    dns::{DnsCase, DnsReport},
    finding::{Finding, FindingKind},
    fragment::{FragmentReport, FragmentSet},
    icmp::IcmpError,
    neighbour::{Conflict, NeighbourReport, Segment, Unanswered},
    table::{Conversation, Echo, Flow},
    tcp_report::{
        Handshake, Reset, ResetAfter, SegmentCounts, ServerHello, Stuck, TcpEnd, TcpReport, TlsReport,
    },
};
use crate::{
    frame::{Frame, FrameProblem, Icmp, Ip, Network, Tcp, Transport, UdpContent},
    tuple::{End, Protocol, Tunnel, Tuple, innermost},
};

/// How much an [`Analysis`] remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conversations. Each takes about 2 KiB.
    pub conversations: usize,
    /// Questions of each kind that wait for an answer: DNS, echo, addresses, sets of fragments.
    pub questions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { conversations: 10_000, questions: 20_000 }
    }
}

/// The entries of the small tables: points, VLANs, tunnels, reasons.
const SMALL: usize = 4_096;

/// The frames of one point of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointCounts {
    /// Frames.
    pub frames: u64,
    /// Bytes of the frames before the capture cut them.
    pub bytes: u64,
    /// The times of the earliest and the latest frame in nanoseconds since 1970.
    pub times: (u64, u64),
}

/// The packets in one direction between two ends of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunnelCounts {
    /// Frames.
    pub packets: u64,
    /// Bytes of the frames.
    pub bytes: u64,
    /// Frames that the tunnel marks as control packets, such as BFD.
    pub control: u64,
}

/// What happened in a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The points of the capture.
    pub points: BTreeMap<usize, PointCounts>,
    /// The conversations, in the order of their first packets.
    pub conversations: Vec<Conversation>,
    /// Packets and bytes of conversations that found the table full.
    pub untracked: (u64, u64),
    /// The findings, what explains a broken connection first.
    pub findings: Vec<Finding>,
    /// DNS over UDP.
    pub dns: DnsReport,
    /// ARP and neighbor discovery.
    pub neighbours: NeighbourReport,
    /// Fragments.
    pub fragments: FragmentReport,
    /// ICMP errors, at most 1,000 different ones.
    pub icmp_errors: Vec<IcmpError>,
    /// Further ICMP errors, which the list has no room for.
    pub icmp_errors_unlisted: u64,
    /// The frames with each VLAN.
    pub vlans: BTreeMap<u16, u64>,
    /// The tunnels: point, source, destination and VNI.
    pub tunnels: BTreeMap<(usize, IpAddr, IpAddr, u32), TunnelCounts>,
    /// The frames that carry neither IP nor ARP, by their EtherType.
    pub other: BTreeMap<u16, u64>,
    /// The frames whose link type or EtherType is unknown.
    pub unknown: u64,
    /// The frames that the capture cut, by the header in which they end.
    pub cut: BTreeMap<&'static str, u64>,
    /// The frames with a malformed header, by that header.
    pub malformed: BTreeMap<&'static str, u64>,
}

/// Analyses a capture. See the [module](self).
pub struct Analysis {
    report: Report,
    table: Table,
    dns: DnsState,
    neighbours: NeighbourState,
    fragments: FragmentState,
    icmp: IcmpState,
}

impl Default for Analysis {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// A packet of the innermost frame.
struct Packet<'a> {
    nanos: u64,
    length: u32,
    scope: Scope,
    tunnel: Option<Tunnel>,
    frame: &'a Frame,
}

impl Analysis {
    /// Begins an analysis that remembers as much as the limits allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            report: Report::default(),
            table: Table::new(limits.conversations),
            dns: DnsState::new(limits.questions),
            neighbours: NeighbourState::new(limits.questions),
            fragments: FragmentState::new(limits.questions),
            icmp: IcmpState::new(limits.questions),
        }
    }

    /// Adds a frame. `nanos` is its time in nanoseconds since 1970, `point` the point of the capture that saw it, and
    /// `original_length` its length in bytes before the capture cut it. Within one point, the frames come in the order
    /// of the capture.
    pub fn add(&mut self, nanos: u64, point: usize, original_length: u32, frame: &Frame) {
        let report = &mut self.report;
        if let Some(counts) = slot(&mut report.points, point) {
            if counts.frames == 0 {
                counts.times.0 = nanos;
            }
            counts.frames += 1;
            counts.bytes += u64::from(original_length);
            counts.times = (counts.times.0.min(nanos), counts.times.1.max(nanos));
        }
        let (inner, tunnel) = innermost(frame, |layer| {
            for vlan in &layer.vlans {
                bump(&mut report.vlans, *vlan);
            }
            match layer.problem {
                Some(FrameProblem::Cut(header)) => bump(&mut report.cut, header),
                Some(FrameProblem::Malformed(header)) => bump(&mut report.malformed, header),
                None => {}
            }
        });
        if let Some(tunnel) = tunnel
            && let Some(counts) =
                slot(&mut report.tunnels, (point, tunnel.outer.0, tunnel.outer.1, tunnel.vni))
        {
            counts.packets += 1;
            counts.bytes += u64::from(original_length);
            counts.control += u64::from(tunnel.control);
        }
        let scope = Scope { point, tunnelled: tunnel.is_some() };
        let packet = Packet { nanos, length: original_length, scope, tunnel, frame: inner };
        match &inner.network {
            Network::Ip(ip) => self.ip(&packet, ip),
            Network::Arp(arp) => {
                let segment = NeighbourState::segment(scope, packet.vni(), packet.vlan());
                self.neighbours.arp(nanos, segment, arp);
                let end = |address| End { address, port: None };
                let tuple = Tuple {
                    protocol: Protocol::Arp,
                    source: end(arp.sender.1),
                    destination: end(arp.target.1),
                };
                self.conversation(&packet, tuple, None, None);
            }
            Network::Other(kind) => bump(&mut self.report.other, *kind),
            Network::Unknown => self.report.unknown += 1,
        }
    }

    fn ip(&mut self, packet: &Packet<'_>, ip: &Ip) {
        let mut tuple = Tuple::of(ip);
        if ip.fragment.is_some()
            && let Some(first) = self.fragments.add(packet.nanos, packet.scope, ip)
        {
            tuple = first;
        }
        let tcp = if let Transport::Tcp(tcp) = &ip.transport { Some(&**tcp) } else { None };
        let index = self.conversation(packet, tuple, Some(ip), tcp);
        match &ip.transport {
            Transport::Udp(udp) => {
                if let UdpContent::Dns(dns) = &udp.content {
                    self.dns.add(packet.nanos, packet.scope, tuple, packet.is_to_group(ip), dns);
                }
            }
            Transport::Icmp(icmp) => {
                self.icmp.add(packet.nanos, packet.scope, tuple, icmp, &mut self.table.conversations, index);
                self.neighbor_discovery(packet, ip, icmp);
            }
            _ => {}
        }
    }

    fn neighbor_discovery(&mut self, packet: &Packet<'_>, ip: &Ip, icmp: &Icmp) {
        let Some(target) = icmp.neighbor.filter(|_| icmp.v6) else { return };
        let segment = NeighbourState::segment(packet.scope, packet.vni(), packet.vlan());
        match icmp.kind {
            // A host without an address asks whether its new address is free (RFC 4862 section 5.4).
            135 if !ip.source.is_unspecified() => {
                self.neighbours.question(packet.nanos, segment, ip.source, target);
            }
            136 => {
                self.neighbours.answer(segment, target);
                if let Some(mac) = packet.frame.macs.0 {
                    self.neighbours.claim(packet.nanos, segment, target, mac);
                }
            }
            _ => {}
        }
    }

    /// Counts a packet in its conversation. Returns the index of the conversation, if the table has room for it.
    fn conversation(
        &mut self,
        packet: &Packet<'_>,
        tuple: Tuple,
        ip: Option<&Ip>,
        tcp: Option<&Tcp>,
    ) -> Option<usize> {
        let length = u64::from(packet.length);
        let lookup = Lookup {
            nanos: packet.nanos,
            scope: packet.scope,
            tuple,
            vni: packet.vni(),
            vlan: packet.vlan(),
        };
        let found = self.table.find(&lookup, |tracked, side| {
            tcp.zip(tracked.tcp.as_deref()).is_some_and(|(tcp, state)| state.is_reused(side, tcp))
        });
        let Some((index, side)) = found else {
            self.report.untracked.0 += 1;
            self.report.untracked.1 += length;
            return None;
        };
        let tracked = self.table.conversations.get_mut(index)?;
        let copy = tracked.is_copy(packet.nanos, side, ip.map(|ip| fingerprint(ip, packet.frame)));
        let flow = tracked.flow_mut(side);
        flow.packets += 1;
        flow.bytes += length;
        flow.copies += u64::from(copy);
        flow.fragments += u64::from(ip.is_some_and(|ip| ip.fragment.is_some()));
        flow.tunnel = packet.tunnel.or(flow.tunnel);
        let times = &mut tracked.report.times;
        *times = (times.0.min(packet.nanos), times.1.max(packet.nanos));
        tracked.report.group |= ip.is_some_and(|ip| packet.is_to_group(ip));
        if tuple.protocol == Protocol::Tcp {
            let state = tracked.tcp.get_or_insert_default();
            if matches!(packet.frame.problem, Some(FrameProblem::Cut(_))) {
                state.cut(side);
            }
            if let (Some(tcp), false) = (tcp, copy) {
                state.add(packet.nanos, side, tcp);
            }
        }
        Some(index)
    }

    /// Ends the analysis.
    #[must_use]
    pub fn finish(self) -> Report {
        let Self { mut report, mut table, dns, neighbours, fragments, icmp } = self;
        let points = report.points.clone();
        let end = |point: usize| points.get(&point).map_or(0, |counts| counts.times.1);
        (report.icmp_errors, report.icmp_errors_unlisted) = icmp.finish(&mut table, end);
        report.dns = dns.finish(end);
        report.neighbours = neighbours.finish(end);
        report.fragments = fragments.finish(end);
        report.conversations = table
            .conversations
            .into_iter()
            .map(|mut tracked| {
                tracked.report.tcp = tracked.tcp.map(|tcp| Box::new(tcp.finish(end(tracked.report.point))));
                tracked.report
            })
            .collect();
        report.findings = finding::findings(&report);
        report
    }
}

impl Packet<'_> {
    fn vni(&self) -> Option<u32> {
        self.tunnel.map(|tunnel| tunnel.vni)
    }

    fn vlan(&self) -> Option<u16> {
        self.frame.vlans.last().copied()
    }

    /// Returns whether the packet goes to a group of hosts or to all hosts.
    fn is_to_group(&self, ip: &Ip) -> bool {
        let broadcast = matches!(ip.destination, IpAddr::V4(address) if address.is_broadcast());
        let mac = self.frame.macs.1.is_some_and(|[first, ..]| first & 1 == 1);
        ip.destination.is_multicast() || broadcast || mac
    }
}

/// Returns what copies of one packet have in common. The identification of IPv4 differs from packet to packet, except
/// that it may be 0 if fragmentation is forbidden (RFC 6864).
fn fingerprint(ip: &Ip, frame: &Frame) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    (ip.id, ip.length, ip.protocol, ip.fragment.map(|fragment| fragment.offset)).hash(&mut hasher);
    match &ip.transport {
        Transport::Tcp(tcp) => {
            (tcp.sequence, tcp.acknowledgment, tcp.flags, tcp.payload, tcp.window).hash(&mut hasher);
            (tcp.timestamps, &tcp.sack).hash(&mut hasher);
        }
        Transport::Icmp(icmp) => (icmp.kind, icmp.code, icmp.echo).hash(&mut hasher),
        _ => {}
    }
    let mut link = DefaultHasher::new();
    (ip.ttl, frame.macs, &frame.vlans).hash(&mut link);
    let identified = ip.id.is_some_and(|id| id != 0);
    Fingerprint { packet: hasher.finish(), identified, link: link.finish() }
}

/// Returns the entry of a key in a small table, unless the table is full.
fn slot<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K) -> Option<&mut V> {
    if map.len() >= SMALL && !map.contains_key(&key) {
        return None;
    }
    Some(map.entry(key).or_default())
}

fn bump<K: Ord>(map: &mut BTreeMap<K, u64>, key: K) {
    if let Some(count) = slot(map, key) {
        *count += 1;
    }
}
