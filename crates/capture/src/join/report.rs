//! The way of the packets of a capture.

use std::fmt;

use crate::tuple::{End, Tunnel, Tuple};

/// The way of the packets of all conversations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinReport {
    /// The points, as the caller numbers them.
    pub points: Vec<PointSummary>,
    /// The clocks of the nodes, as far as packets in both directions tell them.
    pub clocks: Vec<Clock>,
    /// The conversations, in the order of their first packets.
    pub conversations: Vec<JoinedConversation>,
    /// Packets whose conversations found no room.
    pub untracked: u64,
}

/// What a point saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointSummary {
    /// Frames.
    pub frames: u64,
    /// The beginning and the end of the capture in nanoseconds since 1970, by the clock of the point's node.
    pub window: (u64, u64),
    /// Frames that were cut or damaged before the headers that identify a packet. If there are any, a packet that the
    /// point lacks may be one of them.
    pub unidentified: u64,
    /// Packets that came after the memory of the join was full. The window ends before the first of them.
    pub unkept: u64,
}

/// The clock of a node, compared with the clock of the node of the first point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The node, as the caller numbers it.
    pub node: usize,
    /// Nanoseconds by which this clock is ahead. `None` if no conversation has packets in both directions between the
    /// nodes, or if their times contradict each other.
    pub ahead: Option<i64>,
    /// Nanoseconds by which `ahead` may be wrong: the delays of the two directions share this time in unknown parts.
    pub uncertainty: u64,
}

/// A conversation over all points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedConversation {
    /// The tuples of the packets of the first direction: several if the addresses are translated on the way.
    pub tuples: Vec<Tuple>,
    /// The translation was not given by the caller, but inferred from TCP segments with the same numbers.
    pub inferred: bool,
    /// The direction of the first packet, and the other direction.
    pub directions: [Direction; 2],
    /// The points that only one direction passed, although both directions have packets: first direction, other
    /// direction.
    pub one_way_points: [Vec<usize>; 2],
}

/// The packets of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Packets, each once.
    pub packets: u64,
    /// Where the packets were seen, in the order of the way.
    pub stations: Vec<Station>,
    /// The points that saw no packet of this direction. They do not lie on the way, or no packet reached them: nothing
    /// in the capture tells which.
    pub points_without: Vec<usize>,
    /// The losses.
    pub losses: Vec<Loss>,
    /// The packets that a station lacks and that may or may not be lost.
    pub unknown: Vec<Unknown>,
}

/// A place where packets of one direction were seen: a point, with a form of the packets. A point that captures all
/// interfaces is several stations: before and after a translation, outside of and in a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The point.
    pub point: usize,
    /// The tuple of the packets here.
    pub tuple: Tuple,
    /// The tunnel around the last packet, if the packets are in a tunnel here.
    pub tunnel: Option<Tunnel>,
    /// The VLAN of the last packet.
    pub vlan: Option<u16>,
    /// The smallest and the largest time to live.
    pub ttl: (u8, u8),
    /// Packets with a mark of congestion.
    pub congested: u64,
    /// Packets that were seen here, each once.
    pub packets: u64,
    /// Further copies of these packets.
    pub duplicates: u64,
    /// Packets that no later station saw. At the end of the way these packets have arrived.
    pub last_seen: u64,
    /// The times of the first and the last packet in nanoseconds since 1970, by the clock of the point's node.
    pub times: (u64, u64),
    /// The delay from the station before that has packets in common with this station. `None` for the first.
    pub delay: Option<Delay>,
}

/// The delay between two stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The index of the station before.
    pub from: usize,
    /// The median of the delays in nanoseconds. It is corrected by the difference of the clocks if that is known, and
    /// may then still be wrong by `uncertainty`.
    pub median: i64,
    /// How the order of the two stations is known.
    pub order: Order,
    /// Nanoseconds by which the median may be wrong. `None` if the difference of the clocks is unknown, so that the
    /// median contains it.
    pub uncertainty: Option<u64>,
}

/// How the order of two stations is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Both have the same clock.
    SameClock,
    /// Packets in both directions tell the difference of the clocks.
    BothDirections,
    /// The time to live is smaller at the second.
    TimeToLive,
    /// Nothing tells the order, so the times of different clocks were compared. No packet counts as lost between them.
    Assumed,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameClock => "known by one clock",
            Self::BothDirections => "known by packets in both directions",
            Self::TimeToLive => "known by the time to live",
            Self::Assumed => "assumed from the clocks of two nodes",
        })
    }
}

/// Packets that were lost at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The index of the last station that saw the packets.
    pub after: usize,
    /// The index of the first later station that surely would have seen them.
    pub before: usize,
    /// The number of packets.
    pub packets: u64,
    /// The times of the first and the last of them at the last station that saw them, in nanoseconds since 1970.
    pub times: (u64, u64),
}

/// Packets that may or may not be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The index of the last station that saw the packets.
    pub after: usize,
    /// The index of the station that lacks them.
    pub before: usize,
    /// Why nothing is known.
    pub reason: Reason,
    /// The number of packets.
    pub packets: u64,
}

/// Why nothing is known about a packet that a station lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The capture of the station had not begun, or ended before the packet could surely have arrived.
    OutsideWindow,
    /// The kernel dropped packets of the station's capture.
    KernelDrops,
    /// The capture of the station has frames that were cut before the headers that identify a packet.
    Unidentified,
    /// The order of the stations is unknown.
    OrderUnknown,
    /// The segment was cut into several or merged with others on the way (segmentation offload).
    Resegmented,
    /// The packet was fragmented on the way.
    Fragmented,
    /// The receiver acknowledged or answered the packet, so it arrived: the station missed it, or it took another way.
    Answered,
    /// Equal packets cannot be told apart: one of them was lost, or they are copies.
    Ambiguous,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideWindow => "the capture there does not cover the time of arrival",
            Self::KernelDrops => "the kernel dropped packets of the capture there",
            Self::Unidentified => "the capture there has frames that were cut too short",
            Self::OrderUnknown => "the order of the two points is unknown",
            Self::Resegmented => "segments were cut or merged on the way",
            Self::Fragmented => "the packet was fragmented on the way",
            Self::Answered => "the packet was answered, so it arrived",
            Self::Ambiguous => "equal packets cannot be told apart",
        })
    }
}

/// What changes between two stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The source is translated.
    Source(End, End),
    /// The destination is translated.
    Destination(End, End),
    /// The time to live.
    TimeToLive(u8, u8),
    /// The VLAN.
    Vlan(Option<u16>, Option<u16>),
    /// The packet enters a tunnel with this VNI.
    EntersTunnel(u32),
    /// The packet leaves a tunnel with this VNI.
    LeavesTunnel(u32),
    /// The VNI of the tunnel.
    Vni(u32, u32),
    /// Packets get a mark of congestion.
    Congestion,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vlan = |vlan: Option<u16>| vlan.map_or("none".to_owned(), |vlan| vlan.to_string());
        match self {
            Self::Source(from, to) => write!(f, "source {from} becomes {to}"),
            Self::Destination(from, to) => write!(f, "destination {from} becomes {to}"),
            Self::TimeToLive(from, to) => write!(f, "time to live {from} becomes {to}"),
            Self::Vlan(from, to) => write!(f, "VLAN {} becomes {}", vlan(*from), vlan(*to)),
            Self::EntersTunnel(vni) => write!(f, "enters the tunnel with VNI {vni}"),
            Self::LeavesTunnel(vni) => write!(f, "leaves the tunnel with VNI {vni}"),
            Self::Vni(from, to) => write!(f, "VNI {from} becomes {to}"),
            Self::Congestion => f.write_str("packets get a mark of congestion"),
        }
    }
}

impl Station {
    /// Returns what changed on the way from an earlier station to this one.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if before.tuple.source != self.tuple.source {
            changes.push(Change::Source(before.tuple.source, self.tuple.source));
        }
        if before.tuple.destination != self.tuple.destination {
            changes.push(Change::Destination(before.tuple.destination, self.tuple.destination));
        }
        if before.ttl.1 != self.ttl.1 {
            changes.push(Change::TimeToLive(before.ttl.1, self.ttl.1));
        }
        if before.vlan != self.vlan {
            changes.push(Change::Vlan(before.vlan, self.vlan));
        }
        match (before.tunnel, self.tunnel) {
            (None, Some(tunnel)) => changes.push(Change::EntersTunnel(tunnel.vni)),
            (Some(tunnel), None) => changes.push(Change::LeavesTunnel(tunnel.vni)),
            (Some(from), Some(to)) if from.vni != to.vni => changes.push(Change::Vni(from.vni, to.vni)),
            _ => {}
        }
        if self.congested > before.congested {
            changes.push(Change::Congestion);
        }
        changes
    }
}
