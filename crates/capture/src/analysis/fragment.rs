//! Fragments, and sets of them that are incomplete.

use std::net::IpAddr;

use super::pending::{Pending, SECOND, TIMEOUT};
use super::table::Scope;
use crate::{frame::Ip, tuple::Tuple};

/// The incomplete sets that are listed; further ones are counted.
const LISTED: usize = 1_000;
/// The ranges of a set that are kept. A packet of 64 KiB in frames of 1,500 bytes has 45 fragments.
const RANGES: usize = 128;

/// What the fragments of a capture say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FragmentReport {
    /// Fragments.
    pub fragments: u64,
    /// Sets of which the capture has all fragments.
    pub complete: u64,
    /// Sets of which the capture lacks fragments.
    pub incomplete: u64,
    /// Sets that began so late that their other fragments may have come after the capture: within a second before its
    /// end.
    pub pending: u64,
    /// Fragments that found the table of sets full.
    pub untracked: u64,
    /// Sets that are incomplete, at most 1,000.
    pub sets: Vec<FragmentSet>,
}

/// A set of fragments that is incomplete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentSet {
    /// The point of the capture.
    pub point: usize,
    /// The tuple of the packet: with ports, if the capture has the first fragment.
    pub tuple: Tuple,
    /// The identification.
    pub id: u32,
    /// The number of fragments that the capture has.
    pub fragments: u32,
    /// The capture has the first fragment.
    pub first_seen: bool,
    /// The capture has the last fragment.
    pub last_seen: bool,
    /// The time of the earliest fragment in nanoseconds since 1970.
    pub nanos: u64,
}

type Key = (Scope, IpAddr, IpAddr, u8, u32);

struct Set {
    tuple: Tuple,
    ranges: Vec<(u32, u32)>,
    total: Option<u32>,
    fragments: u32,
}

impl Set {
    fn is_complete(&self) -> bool {
        let mut end = 0;
        for (from, to) in &self.ranges {
            if *from > end {
                return false;
            }
            end = end.max(*to);
        }
        self.total.is_some_and(|total| end >= total)
    }
}

/// Collects the fragments of each packet.
pub(super) struct FragmentState {
    report: FragmentReport,
    pending: Pending<Key, Set>,
}

impl FragmentState {
    pub(super) fn new(limit: usize) -> Self {
        Self { report: FragmentReport::default(), pending: Pending::new(limit) }
    }

    /// Adds a fragment. Returns the tuple of its packet, if the first fragment came before.
    pub(super) fn add(&mut self, nanos: u64, scope: Scope, ip: &Ip) -> Option<Tuple> {
        let (fragment, id) = (ip.fragment?, ip.id?);
        self.report.fragments += 1;
        // The length of the header does not matter: fragments of one packet have headers of the same length, except
        // for options that only the first one has.
        let header = if ip.source.is_ipv4() { 20 } else { 48 };
        let length = ip.length.saturating_sub(header);
        let range = (u32::from(fragment.offset), u32::from(fragment.offset).saturating_add(length));
        let key = (scope, ip.source, ip.destination, ip.protocol, id);
        let tuple = Tuple::of(ip);
        if let Some((since, _)) = self.pending.get_mut(&key)
            && nanos.saturating_sub(*since) > TIMEOUT
            && let Some((since, old)) = self.pending.remove(&key)
        {
            self.list(&key, since, &old);
        }
        let set = match self.pending.get_mut(&key) {
            Some((_, set)) => set,
            None => {
                let set = Set { tuple, ranges: Vec::new(), total: None, fragments: 0 };
                for (key, since, old) in self.pending.insert(nanos, key, set) {
                    self.list(&key, since, &old);
                }
                &mut self.pending.get_mut(&key)?.1
            }
        };
        set.fragments = set.fragments.saturating_add(1);
        if fragment.offset == 0 {
            set.tuple = tuple;
        }
        if !fragment.more {
            set.total = Some(range.1);
        }
        if set.ranges.len() < RANGES {
            let place = set.ranges.partition_point(|known| *known < range);
            set.ranges.insert(place, range);
        }
        let of_packet = set.tuple;
        if set.is_complete() {
            self.pending.remove(&key);
            self.report.complete += 1;
        }
        Some(of_packet).filter(|tuple| tuple.source.port.is_some())
    }

    fn list(&mut self, key: &Key, nanos: u64, set: &Set) {
        self.report.incomplete += 1;
        if self.report.sets.len() < LISTED {
            self.report.sets.push(FragmentSet {
                point: key.0.point,
                tuple: set.tuple,
                id: key.4,
                fragments: set.fragments,
                first_seen: set.ranges.first().is_some_and(|range| range.0 == 0),
                last_seen: set.total.is_some(),
                nanos,
            });
        }
    }

    /// Ends the collection. `end` returns the time of the last frame of a point.
    pub(super) fn finish(mut self, end: impl Fn(usize) -> u64) -> FragmentReport {
        let pending = std::mem::replace(&mut self.pending, Pending::new(0));
        self.report.untracked = pending.untracked;
        for (key, since, set) in pending.into_sorted() {
            if end(key.0.point).saturating_sub(since) < SECOND {
                self.report.pending += 1;
            } else {
                self.list(&key, since, &set);
            }
        }
        self.report
    }
}
