//! Findings: what explains a broken connection first.

use std::fmt;

use super::{
    Report,
    pending::SECOND,
    table::Conversation,
    tcp_report::{Handshake, ResetAfter, ServerHello, TcpReport},
};
use crate::tuple::Protocol;

/// A kind of finding. The order is that of a report: what explains a broken connection comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// A router says that a packet is larger than the MTU of the next hop.
    TooBig,
    /// An ICMP error says why a packet did not arrive.
    IcmpError,
    /// Several MAC addresses claim one address.
    AddressConflict,
    /// A host did not answer ARP or neighbor discovery.
    NeighbourUnanswered,
    /// A SYN has no answer.
    SynUnanswered,
    /// A reset answers a SYN.
    Refused,
    /// A SYN-ACK is not acknowledged.
    SynAckUnanswered,
    /// Data is sent again and again and never acknowledged.
    Stuck,
    /// Fragments of a packet are missing.
    IncompleteFragments,
    /// A DNS question has no answer.
    DnsUnanswered,
    /// A DNS answer has an error code.
    DnsError,
    /// A side reset an open connection.
    Reset,
    /// A TLS ClientHello has no ServerHello.
    ServerHelloMissing,
    /// A side sent a TLS alert.
    TlsAlert,
    /// An echo request has no reply.
    EchoUnanswered,
    /// One side of a UDP conversation sends, and the other side never does.
    UdpUnanswered,
    /// A side offered a window of 0 bytes.
    ZeroWindow,
    /// Segments were sent again.
    Retransmissions,
    /// The capture lacks segments.
    Gaps,
    /// Only one direction of a TCP connection was captured, or a part of the handshake.
    OneDirection,
    /// Segments came out of order.
    OutOfOrder,
    /// Headers contradict themselves.
    Malformed,
    /// The capture cut frames in their headers.
    Cut,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooBig => "packet larger than the MTU of the way",
            Self::IcmpError => "ICMP error",
            Self::AddressConflict => "several MAC addresses for one address",
            Self::NeighbourUnanswered => "ARP or neighbor discovery without answer",
            Self::SynUnanswered => "SYN without answer",
            Self::Refused => "connection refused by a reset",
            Self::SynAckUnanswered => "SYN-ACK without ACK",
            Self::Stuck => "data sent again and never acknowledged",
            Self::IncompleteFragments => "packet with missing fragments",
            Self::DnsUnanswered => "DNS question without answer",
            Self::DnsError => "DNS answer with an error",
            Self::Reset => "connection reset",
            Self::ServerHelloMissing => "TLS ClientHello without ServerHello",
            Self::TlsAlert => "TLS alert",
            Self::EchoUnanswered => "echo request without reply",
            Self::UdpUnanswered => "UDP without answer",
            Self::ZeroWindow => "window of 0 bytes: the receiver does not read",
            Self::Retransmissions => "TCP retransmissions",
            Self::Gaps => "TCP segments that the capture lacks",
            Self::OneDirection => "TCP connection of which the capture has only a part",
            Self::OutOfOrder => "TCP segments out of order",
            Self::Malformed => "malformed headers",
            Self::Cut => "headers that the capture cut",
        })
    }
}

/// All cases of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The number of cases: packets, questions, segments, connections or addresses, as the kind has it.
    pub count: u64,
    /// The conversations that the cases belong to, as indices into [`Report::conversations`], the oldest first. Empty
    /// if the cases are in another list of the report.
    pub conversations: Vec<usize>,
}

/// UDP ports whose protocols need no answer from the same port: DHCP, syslog, NetFlow and IPFIX, sFlow, BFD (RFC 5881,
/// RFC 5883, RFC 7130), VXLAN and Geneve, whose source port is a hash.
const ONE_WAY: [u16; 14] = [67, 68, 514, 546, 547, 2055, 3784, 3785, 4739, 4784, 4789, 6081, 6343, 6784];

/// Collects the findings of a report.
pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let mut found = FindingList::default();
    for error in &report.icmp_errors {
        let kind = if error.is_too_big() { FindingKind::TooBig } else { FindingKind::IcmpError };
        found.add(kind, error.conversation, error.count);
    }
    found.add(FindingKind::AddressConflict, None, report.neighbours.conflicts.len() as u64);
    found.add(
        FindingKind::NeighbourUnanswered,
        None,
        report.neighbours.unanswered.iter().map(|unanswered| unanswered.count).sum(),
    );
    found.add(FindingKind::IncompleteFragments, None, report.fragments.incomplete);
    found.add(FindingKind::DnsUnanswered, None, report.dns.unanswered.iter().map(|case| case.count).sum());
    found.add(FindingKind::DnsError, None, report.dns.errors.iter().map(|case| case.count).sum());
    found.add(FindingKind::Malformed, None, report.malformed.values().sum());
    found.add(FindingKind::Cut, None, report.cut.values().sum());
    for (index, conversation) in report.conversations.iter().enumerate() {
        if let Some(tcp) = &conversation.tcp {
            found.tcp(index, tcp, conversation);
        }
        if let Some(echo) = &conversation.echo {
            found.add(FindingKind::EchoUnanswered, Some(index), echo.unanswered);
        }
        let end = report.points.get(&conversation.point).map_or(0, |point| point.times.1);
        if is_unanswered_udp(conversation, end) {
            found.add(FindingKind::UdpUnanswered, Some(index), 1);
        }
    }
    let mut findings = found.0;
    findings.sort_by_key(|finding| finding.kind);
    findings
}

/// Returns whether one side of a UDP conversation waits for an answer, at least for a second. DNS has its own list.
fn is_unanswered_udp(conversation: &Conversation, end: u64) -> bool {
    let [first, second] = &conversation.flows;
    let [_, server] = conversation.ends;
    let dns = matches!(server.port, Some(53 | 5353));
    conversation.protocol == Protocol::Udp
        && second.packets == 0
        && !conversation.group
        && !dns
        && !first.tunnel.is_some_and(|tunnel| tunnel.control)
        && server.port.is_none_or(|port| !ONE_WAY.contains(&port))
        && end.saturating_sub(conversation.times.0) >= SECOND
}

#[derive(Default)]
struct FindingList(Vec<Finding>);

impl FindingList {
    fn add(&mut self, kind: FindingKind, conversation: Option<usize>, count: u64) {
        if count == 0 {
            return;
        }
        let finding = match self.0.iter_mut().position(|finding| finding.kind == kind) {
            Some(place) => self.0.get_mut(place),
            None => {
                self.0.push(Finding { kind, count: 0, conversations: Vec::new() });
                self.0.last_mut()
            }
        };
        let Some(finding) = finding else { return };
        finding.count += count;
        finding
            .conversations
            .extend(conversation.filter(|index| finding.conversations.last() != Some(index)));
    }

    fn tcp(&mut self, index: usize, tcp: &TcpReport, conversation: &Conversation) {
        let mut add = |kind, count: u32| self.add(kind, Some(index), u64::from(count));
        match tcp.handshake {
            // A single SYN in the last second may have its answer after the capture.
            Handshake::SynWithoutAnswer { syns, waited } if syns > 1 || waited >= SECOND => {
                add(FindingKind::SynUnanswered, 1);
            }
            Handshake::SynAckWithoutAck { syn_acks, waited } if syn_acks > 1 || waited >= SECOND => {
                add(FindingKind::SynAckUnanswered, 1);
            }
            Handshake::Refused => add(FindingKind::Refused, 1),
            Handshake::PartlyCaptured => add(FindingKind::OneDirection, 1),
            Handshake::BeforeCapture if conversation.flows.iter().any(|flow| flow.packets == 0) => {
                add(FindingKind::OneDirection, 1);
            }
            _ => {}
        }
        if tcp.reset.is_some_and(|reset| {
            matches!(reset.after, ResetAfter::Handshake | ResetAfter::Data | ResetAfter::SynAck)
        }) {
            add(FindingKind::Reset, 1);
        }
        for side in [0, 1] {
            let Some(counts) = tcp.segments.get(side) else { continue };
            let stuck = tcp.stuck.get(side).copied().flatten();
            // Without a reset, one repetition may have its acknowledgment after the capture.
            if stuck.is_some_and(|stuck| stuck.payload > 0 && (stuck.times > 2 || stuck.waited >= SECOND)) {
                add(FindingKind::Stuck, 1);
            }
            add(FindingKind::ZeroWindow, counts.zero_windows);
            add(
                FindingKind::Retransmissions,
                counts.retransmissions + counts.fast_retransmissions + counts.spurious_retransmissions,
            );
            add(FindingKind::Gaps, counts.gaps + counts.acked_unseen);
            add(FindingKind::OutOfOrder, counts.out_of_order);
        }
        if let Some(tls) = &tcp.tls {
            if let ServerHello::Missing(waited) = tls.server_hello
                && waited >= SECOND
            {
                add(FindingKind::ServerHelloMissing, 1);
            }
            // A warning "close notify" (0) ends every connection.
            let alerts = tls.alerts.iter().filter(|(_, _, description)| *description != 0).count();
            add(FindingKind::TlsAlert, u32::try_from(alerts).unwrap_or(u32::MAX));
        }
    }
}
