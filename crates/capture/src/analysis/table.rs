//! Conversations, and the place of each packet in them.

use std::collections::HashMap;

use super::tcp::TcpState;
use super::tcp_report::TcpReport;
use crate::tuple::{End, Protocol, Tunnel, Tuple};

/// A place where one packet is seen once: a point of the capture, inside a tunnel or not. A capture on all interfaces
/// of a node sees a packet before and in the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) point: usize,
    pub(super) tunnelled: bool,
}

/// The packets of one direction of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Frames, with those that carry a copy.
    pub packets: u64,
    /// Bytes of the whole frames before the capture cut them, with the headers of a tunnel.
    pub bytes: u64,
    /// Frames that carry a copy of a packet that came just before, because the point sees a packet several times. The
    /// counts of TCP leave them out.
    pub copies: u64,
    /// Fragments.
    pub fragments: u64,
    /// The tunnel of the last packet, if the packets are in a tunnel.
    pub tunnel: Option<Tunnel>,
}

/// A conversation between two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The point of the capture.
    pub point: usize,
    /// The protocol of the packets.
    pub protocol: Protocol,
    /// Both ends. The first end sent the first packet of the capture.
    pub ends: [End; 2],
    /// What the first and the second end sent.
    pub flows: [Flow; 2],
    /// The times of the first and the last packet in nanoseconds since 1970.
    pub times: (u64, u64),
    /// The innermost VLAN of the first packet.
    pub vlan: Option<u16>,
    /// A packet went to a group of hosts or to all hosts, so a missing answer says nothing.
    pub group: bool,
    /// Echo requests and replies.
    pub echo: Option<Echo>,
    /// What happened in a TCP conversation.
    pub tcp: Option<Box<TcpReport>>,
}

/// The echo requests of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// Requests, each identifier and sequence number once.
    pub requests: u64,
    /// Requests that a reply answers.
    pub answered: u64,
    /// Requests without a reply.
    pub unanswered: u64,
    /// Requests that came so late that their replies may have come after the capture: within a second before its end.
    pub pending: u64,
    /// Requests whose replies were not followed, because too many requests waited.
    pub untracked: u64,
    /// Replies whose requests the capture lacks.
    pub replies_without_request: u64,
}

/// What tells conversations apart, apart from the tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    scope: Scope,
    protocol: Protocol,
    ends: [End; 2],
}

/// The last packets of a direction, in which a copy is looked for.
const RECENT: usize = 8;
/// Nanoseconds in which an equal packet with an identification, or on another link, is a copy.
const COPY: u64 = 10_000_000;

/// What copies of one packet have in common.
#[derive(Clone, Copy)]
pub(super) struct Fingerprint {
    /// The hash of what no router changes.
    pub(super) packet: u64,
    /// The packet has an identification, so that no other packet of this time has this hash.
    pub(super) identified: bool,
    /// The hash of what differs between the interfaces on the way: addresses of the link, VLANs, time to live.
    pub(super) link: u64,
}

/// A conversation with the state that the report does not need.
pub(super) struct Tracked {
    pub(super) report: Conversation,
    pub(super) tcp: Option<Box<TcpState>>,
    /// The time and the fingerprint of the last packets of each direction.
    recent: [Vec<(u64, Fingerprint)>; 2],
}

/// All conversations, bounded in number.
pub(super) struct Table {
    limit: usize,
    pub(super) conversations: Vec<Tracked>,
    index: HashMap<Key, Vec<usize>>,
}

/// The packet that a conversation is looked up for.
pub(super) struct Lookup {
    pub(super) nanos: u64,
    pub(super) scope: Scope,
    pub(super) tuple: Tuple,
    pub(super) vni: Option<u32>,
    pub(super) vlan: Option<u16>,
}

impl Table {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, conversations: Vec::new(), index: HashMap::new() }
    }

    /// Returns the conversations between these ends, the oldest first.
    pub(super) fn between(&self, scope: Scope, tuple: Tuple) -> &[usize] {
        let key = Key { scope, protocol: tuple.protocol, ends: tuple.ordered().0 };
        self.index.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Returns the conversation of a packet, and the side that sends it. `begins` says of a conversation and a side
    /// whether this packet begins a new connection instead. `None` if the table is full.
    pub(super) fn find(
        &mut self,
        lookup: &Lookup,
        begins: impl Fn(&Tracked, usize) -> bool,
    ) -> Option<(usize, usize)> {
        let Lookup { nanos, scope, tuple, vni, vlan } = *lookup;
        let key = Key { scope, protocol: tuple.protocol, ends: tuple.ordered().0 };
        let known = self.index.get(&key).map_or(&[][..], Vec::as_slice);
        let mut best: Option<(u8, usize, usize)> = None;
        for index in known.iter().rev().copied() {
            let Some(tracked) = self.conversations.get(index) else { continue };
            let side = side_of(&tracked.report, tuple);
            if let Some(fit) = fit(&tracked.report, side, vni)
                && best.is_none_or(|(known, ..)| fit > known)
            {
                best = Some((fit, index, side));
            }
        }
        if let Some((_, index, side)) = best
            && self.conversations.get(index).is_some_and(|tracked| !begins(tracked, side))
        {
            return Some((index, side));
        }
        if self.conversations.len() >= self.limit {
            return None;
        }
        let index = self.conversations.len();
        self.conversations.push(Tracked {
            report: Conversation {
                point: scope.point,
                protocol: tuple.protocol,
                ends: [tuple.source, tuple.destination],
                flows: Default::default(),
                times: (nanos, nanos),
                vlan,
                group: false,
                echo: None,
                tcp: None,
            },
            tcp: None,
            recent: Default::default(),
        });
        self.index.entry(key).or_default().push(index);
        Some((index, 0))
    }
}

/// Returns the side of the sender. Both ends of a conversation with itself are equal, and the side is then the first.
fn side_of(conversation: &Conversation, tuple: Tuple) -> usize {
    let [first, _] = conversation.ends;
    usize::from(first != tuple.source)
}

/// Returns how well a packet of this side with this VNI fits a conversation: 2 if the side used the VNI before, 1 if
/// the other side alone used it, 0 if the side has sent nothing yet. Tenants with the same addresses differ in the
/// VNI, but the two directions of one conversation may have different VNIs, too.
fn fit(conversation: &Conversation, side: usize, vni: Option<u32>) -> Option<u8> {
    let [first, second] = &conversation.flows;
    let (own, other) = if side == 0 { (first, second) } else { (second, first) };
    let vni_of = |flow: &Flow| flow.tunnel.map(|tunnel| tunnel.vni);
    if own.packets > 0 {
        return (vni_of(own) == vni).then_some(2);
    }
    Some(u8::from(vni_of(other) == vni))
}

impl Tracked {
    pub(super) fn flow_mut(&mut self, side: usize) -> &mut Flow {
        let [first, second] = &mut self.report.flows;
        if side == 0 { first } else { second }
    }

    /// Returns whether the packet with this fingerprint is a copy of a packet that came just before.
    pub(super) fn is_copy(&mut self, nanos: u64, side: usize, fingerprint: Option<Fingerprint>) -> bool {
        let Some(fingerprint) = fingerprint else { return false };
        let [first, second] = &mut self.recent;
        let recent = if side == 0 { first } else { second };
        let copy = recent.iter().any(|(time, known)| {
            known.packet == fingerprint.packet
                && nanos.abs_diff(*time) < COPY
                && (known.identified || known.link != fingerprint.link)
        });
        if !copy {
            if recent.len() == RECENT {
                recent.remove(0);
            }
            recent.push((nanos, fingerprint));
        }
        copy
    }
}
