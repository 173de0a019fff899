//! ARP and neighbor discovery: questions without answers, and addresses that two hosts claim.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
};

use super::pending::SECOND;
use super::table::Scope;
use crate::frame::{Arp, MacAddress};

/// The different MAC addresses of one address that are listed.
const CLAIMS: usize = 8;

/// The layer 2 network in which an address is unique: a place of the capture, the VNI of the tunnel and the VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Segment {
    /// The point of the capture.
    pub point: usize,
    /// The VNI of the tunnel around the packet.
    pub vni: Option<u32>,
    /// The innermost VLAN.
    pub vlan: Option<u16>,
}

/// What ARP and neighbor discovery say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeighbourReport {
    /// Questions for the MAC address of an address.
    pub questions: u64,
    /// Answers.
    pub answers: u64,
    /// Questions that came so late that their answers may have come after the capture: within a second before its end.
    pub pending: u64,
    /// Questions and answers for which the tables had no room.
    pub untracked: u64,
    /// The addresses that did not answer their last question.
    pub unanswered: Vec<Unanswered>,
    /// The addresses that several MAC addresses claim.
    pub conflicts: Vec<Conflict>,
}

/// An address that did not answer its last question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Where the questions were asked.
    pub segment: Segment,
    /// The address.
    pub target: IpAddr,
    /// The host that asked last.
    pub asker: IpAddr,
    /// The number of questions after the last answer.
    pub count: u64,
    /// The time of the first of these questions in nanoseconds since 1970.
    pub first: u64,
    /// The number of answers before.
    pub answers_before: u64,
}

/// An address that several MAC addresses claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub segment: Segment,
    /// The address.
    pub address: IpAddr,
    /// The MAC addresses, at most 8, each with the number of packets and their first and last times in nanoseconds.
    pub claims: Vec<(MacAddress, u64, u64, u64)>,
    /// How many times the claim went from one MAC address to another. One change may be a move of the address; more
    /// changes mean that two hosts use it at the same time.
    pub changes: u64,
}

#[derive(Default)]
struct Target {
    asker: Option<IpAddr>,
    waiting: u64,
    since: u64,
    answers: u64,
}

#[derive(Default)]
struct Claimed {
    claims: Vec<(MacAddress, u64, u64, u64)>,
    last: Option<MacAddress>,
    changes: u64,
}

/// Joins questions and answers, and remembers who claims which address.
pub(super) struct NeighbourState {
    limit: usize,
    report: NeighbourReport,
    targets: BTreeMap<(Segment, IpAddr), Target>,
    addresses: BTreeMap<(Segment, IpAddr), Claimed>,
}

impl NeighbourState {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            report: NeighbourReport::default(),
            targets: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    pub(super) fn segment(scope: Scope, vni: Option<u32>, vlan: Option<u16>) -> Segment {
        Segment { point: scope.point, vni, vlan }
    }

    pub(super) fn arp(&mut self, nanos: u64, segment: Segment, arp: &Arp) {
        let ((sender_mac, sender), (_, target)) = (arp.sender, arp.target);
        // A sender of 0.0.0.0 probes whether the address is free, and a host that asks for its own address announces
        // it (RFC 5227): nobody should answer.
        let known_sender = !sender.is_unspecified();
        if arp.operation == 1 && known_sender && sender != target {
            self.question(nanos, segment, sender, target);
        } else if arp.operation == 2 {
            self.answer(segment, sender);
        }
        if known_sender {
            self.claim(nanos, segment, sender, sender_mac);
        }
    }

    /// Counts a question of `asker` for `target`.
    pub(super) fn question(&mut self, nanos: u64, segment: Segment, asker: IpAddr, target: IpAddr) {
        self.report.questions += 1;
        let Some(entry) = bounded(&mut self.targets, self.limit, (segment, target)) else {
            self.report.untracked += 1;
            return;
        };
        if entry.waiting == 0 {
            entry.since = nanos;
        }
        entry.waiting += 1;
        entry.asker = Some(asker);
    }

    /// Counts an answer of `sender`.
    pub(super) fn answer(&mut self, segment: Segment, sender: IpAddr) {
        self.report.answers += 1;
        if let Some(target) = self.targets.get_mut(&(segment, sender)) {
            target.waiting = 0;
            target.answers += 1;
        }
    }

    /// Notes that a host with this MAC address says that it has the address.
    pub(super) fn claim(&mut self, nanos: u64, segment: Segment, address: IpAddr, mac: MacAddress) {
        let Some(entry) = bounded(&mut self.addresses, self.limit, (segment, address)) else {
            self.report.untracked += 1;
            return;
        };
        entry.changes += u64::from(entry.last.is_some_and(|last| last != mac));
        entry.last = Some(mac);
        if let Some(claim) = entry.claims.iter_mut().find(|claim| claim.0 == mac) {
            claim.1 += 1;
            claim.3 = nanos;
        } else if entry.claims.len() < CLAIMS {
            entry.claims.push((mac, 1, nanos, nanos));
        }
    }

    /// Ends the joining. `end` returns the time of the last frame of a point.
    pub(super) fn finish(mut self, end: impl Fn(usize) -> u64) -> NeighbourReport {
        for ((segment, target), state) in self.targets {
            let Some(asker) = state.asker.filter(|_| state.waiting > 0) else { continue };
            if state.waiting == 1 && end(segment.point).saturating_sub(state.since) < SECOND {
                self.report.pending += 1;
                continue;
            }
            self.report.unanswered.push(Unanswered {
                segment,
                target,
                asker,
                count: state.waiting,
                first: state.since,
                answers_before: state.answers,
            });
        }
        let claimed = self.addresses.into_iter().filter(|(_, claimed)| claimed.claims.len() > 1);
        self.report.conflicts.extend(claimed.map(|((segment, address), claimed)| Conflict {
            segment,
            address,
            claims: claimed.claims,
            changes: claimed.changes,
        }));
        self.report
    }
}

/// Returns the entry of a key, unless it is new and the map is full.
fn bounded<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, limit: usize, key: K) -> Option<&mut V> {
    let full = map.len() >= limit;
    match map.entry(key) {
        Entry::Occupied(entry) => Some(entry.into_mut()),
        Entry::Vacant(_) if full => None,
        Entry::Vacant(entry) => Some(entry.insert(V::default())),
    }
}
