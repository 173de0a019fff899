//! Follows a TCP conversation.
//!
//! The counts of segments follow the rules of tshark(1) 4.0, because engineers compare them with it. For each
//! direction, `expected` is the sequence number after the highest one that was sent:
//!
//! * A segment has a gap before it if its sequence number is after `expected`. A reset has none.
//! * A segment of at most one byte just before `expected`, without SYN, FIN and RST, is a keep-alive.
//! * A segment without data that repeats the acknowledgment and the window (not 0) of the segment before is a duplicate
//!   acknowledgment, unless it answers a keep-alive.
//! * A segment with data, a SYN or a FIN before `expected` is, in this order:
//!   - a spurious retransmission if the other side has acknowledged its data;
//!   - a fast retransmission if within 20 ms before at least two duplicate acknowledgments asked for exactly it;
//!   - out of order if it came within the round-trip time of the handshake (3 ms if that is unknown) after the highest
//!     segment, and does not end where that segment ends;
//!   - a retransmission.
//!
//! tshark marks fast and spurious retransmissions with `tcp.analysis.retransmission` too; here each segment counts
//! once.

use super::tcp_report::{
    Handshake, Reset, ResetAfter, SegmentCounts, ServerHello, Stuck, TcpEnd, TcpReport, TlsReport,
};
use crate::frame::{Tcp, Tls};

/// Nanoseconds after a duplicate acknowledgment in which a retransmission counts as fast.
const FAST: u64 = 20_000_000;
/// Nanoseconds after the highest segment in which an earlier segment counts as out of order, if the round-trip time of
/// the handshake is unknown.
const REORDERED: u64 = 3_000_000;
/// The alerts that a conversation keeps.
const ALERTS: usize = 16;

/// Whether `a` comes before `b` in the circle of sequence numbers (RFC 9293 section 3.4).
pub(crate) fn before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

/// What one side sent.
#[derive(Clone, Debug, Default)]
struct Half {
    counts: SegmentCounts,
    base: Option<u32>,
    expected: Option<u32>,
    expected_since: u64,
    /// The end of the data without gaps.
    contiguous: Option<u32>,
    /// The data after gaps, as beginnings and ends.
    islands: Vec<(u32, u32)>,
    window: Option<u16>,
    acknowledged: Option<u32>,
    acknowledged_at: u64,
    duplicates: u32,
    last_was_keep_alive: bool,
    fin: Option<u32>,
    mss: Option<u16>,
    resets: u32,
    segments: u64,
    /// The sequence number and the payload of the segment that was sent again last, the number of times, and when the
    /// first of them was sent.
    again: Option<(u32, u32, u32, u64)>,
    /// Segments that wait for an acknowledgment: where they end, their payload, and when they were sent.
    outstanding: Vec<(u32, u32, u64)>,
    largest_acknowledged: u32,
    /// Frames of this direction were cut before the end of their TCP payload or header.
    cut: bool,
}

/// The state of a TCP conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct TcpState {
    halves: [Half; 2],
    opener: Option<usize>,
    syns: u32,
    first_syn: u64,
    last_syn: u64,
    syn_acks: u32,
    first_syn_ack: u64,
    round_trip: Option<u64>,
    /// The opener acknowledged the SYN-ACK, or the other side sent more than a SYN-ACK.
    established: bool,
    reset: Option<Reset>,
    tls: Option<Box<(TlsReport, u64)>>,
}

impl TcpState {
    /// Returns whether this segment begins another connection with the same ends: a SYN with another sequence number.
    pub(super) fn is_reused(&self, side: usize, tcp: &Tcp) -> bool {
        let half = self.half(side);
        tcp.flags & (Tcp::SYN | Tcp::ACK) == Tcp::SYN && half.base.is_some_and(|base| base != tcp.sequence)
    }

    fn half(&self, side: usize) -> &Half {
        let [first, second] = &self.halves;
        if side == 0 { first } else { second }
    }

    /// Returns what this side sent, and what the other side sent.
    fn pair(&mut self, side: usize) -> (&mut Half, &mut Half) {
        let [first, second] = &mut self.halves;
        if side == 0 { (first, second) } else { (second, first) }
    }

    /// Notes that a frame of this side was cut.
    pub(super) fn cut(&mut self, side: usize) {
        self.pair(side).0.cut = true;
    }

    pub(super) fn add(&mut self, nanos: u64, side: usize, tcp: &Tcp) {
        self.follow_handshake(nanos, side, tcp);
        let again = self.classify(nanos, side, tcp);
        if !again {
            for record in &tcp.tls {
                self.add_tls(nanos, side, record);
            }
        }
        self.follow_end(nanos, side, tcp);
    }

    fn follow_handshake(&mut self, nanos: u64, side: usize, tcp: &Tcp) {
        let flags = tcp.flags & (Tcp::SYN | Tcp::ACK | Tcp::RST);
        if flags == Tcp::SYN {
            if self.syns == 0 {
                self.first_syn = nanos;
            }
            self.opener.get_or_insert(side);
            self.syns = self.syns.saturating_add(1);
            self.last_syn = nanos;
        } else if flags == Tcp::SYN | Tcp::ACK {
            if self.syn_acks == 0 {
                self.first_syn_ack = nanos;
            }
            self.opener.get_or_insert(1 - side);
            self.syn_acks = self.syn_acks.saturating_add(1);
        } else if flags & Tcp::RST == 0 {
            self.established = self.established || self.opener == Some(side) || tcp.payload > 0;
            let base = self.half(1 - side).base;
            if self.round_trip.is_none()
                && self.syns > 0
                && self.syn_acks > 0
                && self.opener == Some(side)
                && base.is_some_and(|base| tcp.acknowledgment == base.wrapping_add(1))
                && self.half(side).base.is_some_and(|base| tcp.sequence == base.wrapping_add(1))
            {
                self.round_trip = Some(nanos.saturating_sub(self.last_syn));
            }
        }
        let (own, other) = self.pair(side);
        if tcp.flags & Tcp::SYN != 0 {
            own.base = Some(own.base.unwrap_or(tcp.sequence));
            own.mss = own.mss.or(tcp.mss);
        } else {
            own.base = Some(own.base.unwrap_or(tcp.sequence.wrapping_sub(1)));
        }
        if tcp.flags & Tcp::ACK != 0 {
            other.base = Some(other.base.unwrap_or(tcp.acknowledgment.wrapping_sub(1)));
        }
    }

    /// Counts the segment. Returns whether it was sent before.
    fn classify(&mut self, nanos: u64, side: usize, tcp: &Tcp) -> bool {
        let reordered = self.round_trip.filter(|time| *time > 0).unwrap_or(REORDERED);
        let (own, other) = self.pair(side);
        own.segments += 1;
        own.counts.payload += u64::from(tcp.payload);
        let has = |flags: u16| tcp.flags & flags != 0;
        let marks = has(Tcp::SYN | Tcp::FIN | Tcp::RST);
        let (sequence, length) = (tcp.sequence, tcp.payload);
        let acknowledgment = if has(Tcp::ACK) { tcp.acknowledgment } else { 0 };

        let at_expected = own.expected == Some(sequence);
        let probe = length == 1 && at_expected && other.window == Some(0);
        let mut keep_alive = false;
        if !probe {
            if tcp.window == 0 && !marks {
                own.counts.zero_windows += 1;
            }
            if !has(Tcp::RST) && own.expected.is_some_and(|expected| before(expected, sequence)) {
                own.counts.gaps += 1;
            }
            keep_alive = length <= 1
                && !marks
                && own.expected.is_some_and(|expected| sequence == expected.wrapping_sub(1));
            own.counts.keep_alives += u32::from(keep_alive);
            let repeats = length == 0
                && !marks
                && at_expected
                && own.window == Some(tcp.window)
                && own.acknowledged == Some(acknowledgment);
            if repeats && tcp.window != 0 && !other.last_was_keep_alive {
                own.duplicates += 1;
                own.counts.duplicate_acks += 1;
            }
        }
        if own.acknowledged != Some(acknowledgment) {
            own.duplicates = 0;
        }
        if has(Tcp::ACK) && other.contiguous.is_some_and(|end| before(end, acknowledgment)) {
            own.counts.acked_unseen += 1;
            other.contiguous = Some(acknowledgment);
            if other.expected.is_some_and(|expected| before(expected, acknowledgment)) {
                other.expected = Some(acknowledgment);
            }
            other.join_islands();
        }

        let carries = length > 0 || has(Tcp::SYN | Tcp::FIN);
        let mut again = false;
        if carries && !keep_alive && own.expected.is_some_and(|expected| before(sequence, expected)) {
            again = own.count_again(nanos, sequence, length, reordered, other);
        }
        if has(Tcp::ACK) {
            other.acknowledge(acknowledgment);
        }
        own.remember(nanos, tcp, acknowledgment, probe, carries);
        own.last_was_keep_alive = keep_alive;
        again
    }

    fn add_tls(&mut self, nanos: u64, side: usize, record: &Tls) {
        let (report, asked) = &mut **self.tls.get_or_insert_default();
        match record {
            Tls::ClientHello(name) => {
                report.client = Some(side);
                report.server_name = report.server_name.take().or_else(|| name.clone());
                if *asked == 0 {
                    *asked = nanos;
                }
            }
            Tls::ServerHello => report.server_hello = ServerHello::Seen,
            Tls::Alert(level, description) => {
                if report.alerts.len() < ALERTS {
                    report.alerts.push((side, *level, *description));
                }
            }
        }
    }

    fn follow_end(&mut self, nanos: u64, side: usize, tcp: &Tcp) {
        if tcp.flags & Tcp::RST != 0 {
            let after = if self.half(0).fin.is_some() || self.half(1).fin.is_some() {
                ResetAfter::Fin
            } else if self.half(0).counts.payload + self.half(1).counts.payload > u64::from(tcp.payload) {
                ResetAfter::Data
            } else if self.established {
                ResetAfter::Handshake
            } else if self.syn_acks > 0 {
                ResetAfter::SynAck
            } else if self.syns > 0 {
                ResetAfter::Syn
            } else {
                ResetAfter::Nothing
            };
            self.reset.get_or_insert(Reset { by: side, nanos, after });
            self.pair(side).0.resets += 1;
        } else if tcp.flags & Tcp::FIN != 0 {
            self.pair(side).0.fin.get_or_insert(tcp.sequence);
        }
    }

    fn handshake(&self, end: u64) -> Handshake {
        let refused =
            self.reset.is_some_and(|reset| reset.after == ResetAfter::Syn && Some(reset.by) != self.opener);
        match (self.syns, self.syn_acks) {
            (0, 0) => Handshake::BeforeCapture,
            (1.., 1..) if self.round_trip.is_some() => {
                Handshake::Complete { round_trip: self.round_trip.unwrap_or_default() }
            }
            _ if self.established => Handshake::PartlyCaptured,
            (_, syn_acks @ 1..) => {
                Handshake::SynAckWithoutAck { syn_acks, waited: end.saturating_sub(self.first_syn_ack) }
            }
            _ if refused => Handshake::Refused,
            (syns, 0) => Handshake::SynWithoutAnswer { syns, waited: end.saturating_sub(self.first_syn) },
        }
    }

    /// Says what happened. `end` is the time of the last frame of the point.
    pub(super) fn finish(self, end: u64) -> TcpReport {
        let handshake = self.handshake(end);
        let [first, second] = &self.halves;
        let tcp_end = match (&self.reset, first.fin, second.fin) {
            (Some(reset), ..) => TcpEnd::Reset(reset.by),
            (None, Some(_), Some(_)) => TcpEnd::Closed,
            (None, Some(_), None) => TcpEnd::HalfClosed(0),
            (None, None, Some(_)) => TcpEnd::HalfClosed(1),
            (None, None, None) => TcpEnd::Open,
        };
        let tls = self.tls.as_ref().map(|tls| {
            let (mut report, asked) = (**tls).clone();
            if let (Some(client), ServerHello::NotAsked) = (report.client, report.server_hello) {
                let server = self.half(1 - client);
                let complete = !server.cut
                    && server.counts.gaps == 0
                    && self.half(client).counts.acked_unseen == 0
                    && server.segments > 0;
                report.server_hello = if complete {
                    ServerHello::Missing(end.saturating_sub(asked))
                } else {
                    ServerHello::Unknown
                };
            }
            report
        });
        TcpReport {
            opener: self.opener,
            handshake,
            end: tcp_end,
            reset: self.reset,
            resets: [first.resets, second.resets],
            mss: [first.mss, second.mss],
            segments: [first.counts, second.counts],
            stuck: [first.stuck(second, end), second.stuck(first, end)],
            tls,
        }
    }
}

/// The segments whose acknowledgment a side waits for. More of them are not followed.
const OUTSTANDING: usize = 64;

impl Half {
    /// Counts a segment that does not advance the sequence. Returns whether it was sent before.
    fn count_again(&mut self, nanos: u64, sequence: u32, length: u32, reordered: u64, other: &Self) -> bool {
        let end = sequence.wrapping_add(length);
        if length > 0
            && other.acknowledged.is_some_and(|acknowledged| acknowledged != 0 && !before(acknowledged, end))
        {
            self.counts.spurious_retransmissions += 1;
            return true;
        }
        // After a probe of a zero window, a segment may begin one byte before the expected one and have new data.
        if length > 1 && self.expected == Some(sequence.wrapping_add(1)) {
            return false;
        }
        let since_ack = nanos.saturating_sub(other.acknowledged_at);
        let asked = other.duplicates >= 2 && other.acknowledged == Some(sequence);
        if since_ack < FAST && asked {
            self.counts.fast_retransmissions += 1;
            return true;
        }
        if nanos.saturating_sub(self.expected_since) < reordered && self.expected != Some(end) {
            self.counts.out_of_order += 1;
            return false;
        }
        self.counts.retransmissions += 1;
        true
    }

    /// Remembers what the next segments are compared with.
    fn remember(&mut self, nanos: u64, tcp: &Tcp, acknowledgment: u32, probe: bool, carries: bool) {
        let marks = u32::from(tcp.flags & (Tcp::SYN | Tcp::FIN) != 0);
        let end = tcp.sequence.wrapping_add(tcp.payload).wrapping_add(marks);
        if !probe {
            if self.expected.is_none_or(|expected| before(expected, end)) {
                self.expected = Some(end);
                self.expected_since = nanos;
            }
            match self.contiguous {
                Some(contiguous) if before(contiguous, tcp.sequence) => {
                    if let Some(island) = self.islands.iter_mut().find(|island| island.1 == tcp.sequence) {
                        island.1 = end;
                    } else if end != tcp.sequence && self.islands.len() < OUTSTANDING {
                        self.islands.push((tcp.sequence, end));
                    }
                }
                Some(contiguous) if !before(contiguous, end) => {}
                _ => self.contiguous = Some(end),
            }
            self.join_islands();
        }
        self.window = Some(tcp.window);
        self.acknowledged = Some(acknowledgment);
        self.acknowledged_at = nanos;
        if carries {
            let known = self.outstanding.iter().find(|(known, ..)| *known == end).map(|known| known.2);
            if let Some(first) = known {
                match &mut self.again {
                    Some((again, _, times, _)) if *again == tcp.sequence => *times += 1,
                    again => *again = Some((tcp.sequence, tcp.payload, 2, first)),
                }
            } else if self.outstanding.len() < OUTSTANDING {
                self.outstanding.push((end, tcp.payload, nanos));
            }
        }
    }

    /// Adds the data after a gap to the data without gaps, if the gap is closed.
    fn join_islands(&mut self) {
        let Some(mut end) = self.contiguous else { return };
        while let Some(place) = self.islands.iter().position(|(from, _)| !before(end, *from)) {
            let (_, to) = self.islands.swap_remove(place);
            end = if before(end, to) { to } else { end };
        }
        self.contiguous = Some(end);
    }

    /// Takes what the other side acknowledged off the segments that wait.
    fn acknowledge(&mut self, acknowledgment: u32) {
        let largest = &mut self.largest_acknowledged;
        self.outstanding.retain(|(end, payload, _)| {
            let waits = before(acknowledgment, *end);
            if !waits {
                *largest = (*largest).max(*payload);
            }
            waits
        });
        if self.again.is_some_and(|(sequence, ..)| before(sequence, acknowledgment)) {
            self.again = None;
        }
    }

    /// Returns the data that the other side does not acknowledge, if the capture has anything of the other side.
    fn stuck(&self, other: &Self, end: u64) -> Option<Stuck> {
        let (_, payload, times, first) = self.again.filter(|_| other.segments > 0)?;
        Some(Stuck {
            payload,
            times,
            waited: end.saturating_sub(first),
            largest_acknowledged: self.largest_acknowledged,
        })
    }
}
