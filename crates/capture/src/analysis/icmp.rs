//! Echo requests and their replies, and ICMP errors with the packets that they are about.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use super::{
    pending::{Pending, SECOND},
    table::{Echo, Scope, Table, Tracked},
};
use crate::{
    frame::Icmp,
    tuple::{Tuple, is_error},
};

/// The different errors that are listed; further ones are counted.
const ERRORS: usize = 1_000;

/// Equal ICMP errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The point of the capture.
    pub point: usize,
    /// The host or router that sends the error.
    pub from: IpAddr,
    /// The host that gets the error.
    pub to: IpAddr,
    /// The error is of ICMPv6.
    pub v6: bool,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The MTU of the next hop in bytes, of "fragmentation needed" and "packet too big".
    pub mtu: Option<u32>,
    /// The packet that the error is about.
    pub about: Option<Tuple>,
    /// The conversation that the packet belongs to, as an index into [`super::Report::conversations`], if the capture
    /// has it at the same point.
    pub conversation: Option<usize>,
    /// The length in bytes of the largest packet that the errors are about, as its IP header states it.
    pub largest: u32,
    /// The number of errors.
    pub count: u64,
    /// The times of the first and the last error in nanoseconds since 1970.
    pub times: (u64, u64),
}

impl IcmpError {
    /// Returns whether the error says that a packet is larger than the MTU of the next hop.
    #[must_use]
    pub fn is_too_big(&self) -> bool {
        if self.v6 { self.kind == 2 } else { (self.kind, self.code) == (3, 4) }
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.v6, self.kind, self.code) {
            (false, 3, 0) | (true, 1, 0) => "no route to the network",
            (false, 3, 1) | (true, 1, 3) => "host unreachable",
            (false, 3, 2) => "protocol unreachable",
            (false, 3, 3) | (true, 1, 4) => "port unreachable",
            (false, 3, 4) => "fragmentation needed",
            (true, 2, _) => "packet too big",
            (false, 3, 9 | 10 | 13) | (true, 1, 1) => "administratively prohibited",
            (true, 1, 5 | 6) => "rejected by policy or route",
            (false, 11, 0) | (true, 3, 0) => "time to live exceeded",
            (false, 11, _) | (true, 3, _) => "fragments missing at reassembly",
            (false, 5, _) => "redirect",
            (false, 4, _) => "source quench",
            (false, 12, _) | (true, 4, _) => "parameter problem",
            _ => return write!(f, "ICMP type {} code {}", self.kind, self.code),
        })?;
        if let Some(mtu) = self.mtu { write!(f, ", MTU {mtu}") } else { Ok(()) }
    }
}

type EchoKey = (Scope, IpAddr, IpAddr, u16, u16);
type ErrorKey = (Scope, IpAddr, IpAddr, bool, u8, u8, Option<u32>, Option<Tuple>);

/// Joins requests and replies, and collects errors.
pub(super) struct IcmpState {
    /// The conversation of each open request.
    pending: Pending<EchoKey, usize>,
    errors: BTreeMap<ErrorKey, (u64, u64, u64, u32)>,
    unlisted: u64,
}

impl IcmpState {
    pub(super) fn new(limit: usize) -> Self {
        Self { pending: Pending::new(limit), errors: BTreeMap::new(), unlisted: 0 }
    }

    /// Adds a message that belongs to the conversation with this index, or to none if the table is full.
    pub(super) fn add(
        &mut self,
        nanos: u64,
        scope: Scope,
        tuple: Tuple,
        icmp: &Icmp,
        conversations: &mut [Tracked],
        index: Option<usize>,
    ) {
        if is_error(icmp) {
            self.error(nanos, scope, tuple, icmp);
            return;
        }
        let (Some((id, sequence)), Some(index)) = (icmp.echo, index) else { return };
        let request = icmp.kind == if icmp.v6 { 128 } else { 8 };
        let (asker, target) =
            if request { (tuple.source, tuple.destination) } else { (tuple.destination, tuple.source) };
        let key = (scope, asker.address, target.address, id, sequence);
        if request {
            if self.pending.get_mut(&key).is_some() {
                return;
            }
            let untracked = self.pending.untracked;
            let expired = self.pending.insert(nanos, key, index);
            for (_, _, index) in expired {
                count(conversations, index, |echo| echo.unanswered += 1);
            }
            let untracked = self.pending.untracked - untracked;
            count(conversations, index, |echo| {
                echo.requests += 1;
                echo.untracked += untracked;
            });
        } else if self.pending.remove(&key).is_some() {
            count(conversations, index, |echo| echo.answered += 1);
        } else {
            count(conversations, index, |echo| echo.replies_without_request += 1);
        }
    }

    fn error(&mut self, nanos: u64, scope: Scope, tuple: Tuple, icmp: &Icmp) {
        let about = icmp.about.as_deref().map(Tuple::of);
        let (from, to) = (tuple.source.address, tuple.destination.address);
        let key = (scope, from, to, icmp.v6, icmp.kind, icmp.code, icmp.mtu, about);
        if self.errors.len() >= ERRORS && !self.errors.contains_key(&key) {
            self.unlisted += 1;
            return;
        }
        let entry = self.errors.entry(key).or_insert((0, nanos, nanos, 0));
        entry.0 += 1;
        entry.2 = nanos;
        entry.3 = entry.3.max(icmp.about.as_deref().map_or(0, |ip| ip.length));
    }

    /// Ends the joining. Returns the errors, the earliest first, and the number of errors that the list has no room
    /// for. `end` returns the time of the last frame of a point.
    pub(super) fn finish(mut self, table: &mut Table, end: impl Fn(usize) -> u64) -> (Vec<IcmpError>, u64) {
        let pending = std::mem::replace(&mut self.pending, Pending::new(0));
        for (key, asked, index) in pending.into_sorted() {
            let late = end(key.0.point).saturating_sub(asked) < SECOND;
            count(&mut table.conversations, index, |echo| {
                if late { echo.pending += 1 } else { echo.unanswered += 1 }
            });
        }
        let mut errors: Vec<IcmpError> = self
            .errors
            .into_iter()
            .map(|((scope, from, to, v6, kind, code, mtu, about), (count, first, last, largest))| IcmpError {
                point: scope.point,
                from,
                to,
                v6,
                kind,
                code,
                mtu,
                about,
                conversation: about.and_then(|about| conversation_of(table, scope, about, first)),
                largest,
                count,
                times: (first, last),
            })
            .collect();
        errors.sort_by_key(|error| error.times);
        (errors, self.unlisted)
    }
}

/// Returns the conversation that the packet of an error belongs to: the last one that began before the error, in the
/// same tunnel or outside of it.
fn conversation_of(table: &Table, scope: Scope, about: Tuple, nanos: u64) -> Option<usize> {
    let begun =
        |index: &usize| table.conversations.get(*index).is_some_and(|found| found.report.times.0 <= nanos);
    let other = Scope { tunnelled: !scope.tunnelled, ..scope };
    [scope, other].into_iter().find_map(|scope| {
        let known = table.between(scope, about);
        known.iter().rfind(|index| begun(index)).or(known.first()).copied()
    })
}

fn count(conversations: &mut [Tracked], index: usize, change: impl FnOnce(&mut Echo)) {
    if let Some(tracked) = conversations.get_mut(index) {
        change(tracked.report.echo.get_or_insert_default());
    }
}
