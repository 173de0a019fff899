//! The way of each packet over several points of a capture.
//!
//! [`Join`] takes the frames of all points, keeps a few numbers of each packet, and at the end pairs the same packet at
//! several points. A packet is the same if its protocol, its identification, its length and its numbers (TCP: sequence,
//! acknowledgment, flags, timestamps; ICMP: type, identifier, sequence) are the same, and its addresses and ports are
//! the same or are translated into each other. Time to live, addresses of the link, tunnels and checksums do not
//! matter. The identification tells a retransmission from its original; if a packet has none, the order of the times
//! does.
//!
//! A translation is known if the caller gives it, who can read the connections of the kernel. Otherwise it is inferred
//! for TCP alone, from segments with the same numbers, if an address or a port is kept.
//!
//! A loss is stated only if nothing else explains that a station lacks a packet: the station saw other packets that
//! the station before saw, the order of both is known, the capture there covers the whole time in which the packet
//! could arrive and lacks nothing, no equal packet is there, no other segments or fragments carry the same bytes, and
//! nobody answered the packet. Everything else is unknown, with the reason. A loss can only be wrong if the packets of
//! one conversation take different ways, of which one bypasses the point.

mod clock;
mod observe;
mod order;
mod pairs;
mod report;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use self::report::{
    Change, Clock, Delay, Direction, JoinReport, JoinedConversation, Loss, Order, PointSummary, Reason,
    Station, Unknown,
};
use self::{
    clock::Bounds,
    observe::{Numbers, SeenPacket, may_be_translated, observe},
    order::Stations,
    pairs::Packets,
    verdict::Judge,
};
use crate::{
    frame::{Frame, FrameProblem, Network},
    tuple::{Tunnel, Tuple, innermost},
};

/// A point of the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointInfo {
    /// The node. Points of the same node have the same clock.
    pub node: usize,
    /// The beginning and the end of the capture in nanoseconds since 1970, by the clock of the node. If it is not
    /// known, the capture lasts from its first to its last frame.
    pub window: Option<(u64, u64)>,
    /// The packets that the kernel dropped because the capture was too slow. `None` counts as 0.
    pub kernel_drops: Option<u64>,
}

/// A translation of addresses (NAT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// A packet before the translation. Replies after the reverse translation have the reversed tuple.
    pub before: Tuple,
    /// The same packet after the translation.
    pub after: Tuple,
}

/// How the join works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The packets that the join keeps, of all points together: about 80 bytes each.
    pub packets: usize,
    /// The tuples that the join keeps.
    pub tuples: usize,
    /// Nanoseconds by which a packet may arrive later than the slowest packet that did arrive, before it counts as
    /// lost.
    pub margin: u64,
    /// Whether translations that the caller does not give are inferred.
    pub infer: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { packets: 1_000_000, tuples: 50_000, margin: 200_000_000, infer: true }
    }
}

/// The stations of one direction. Further ones are not looked at.
const STATIONS: usize = 32;
/// The tuples in which a TCP segment is looked for, if its translation is not known.
const FORMS: usize = 8;

/// Joins the captures of several points. See the [module](self).
pub struct Join {
    points: Vec<(PointInfo, PointState)>,
    options: Options,
    seen: Vec<SeenPacket>,
    tuples: Interner<Tuple>,
    lanes: Interner<(Option<Tunnel>, Option<u16>)>,
    translations: Vec<Translation>,
    untracked: u64,
}

#[derive(Clone, Copy, Default)]
struct PointState {
    summary: PointSummary,
    kept: usize,
    full: bool,
}

/// Numbers values.
struct Interner<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Copy + Eq + std::hash::Hash> Interner<T> {
    fn new() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }

    /// Returns the number of a value, unless it is new and `limit` values are known.
    fn number(&mut self, value: T, limit: usize) -> Option<u32> {
        if let Some(number) = self.numbers.get(&value) {
            return Some(*number);
        }
        let number = u32::try_from(self.values.len()).ok().filter(|_| self.values.len() < limit)?;
        self.values.push(value);
        self.numbers.insert(value, number);
        Some(number)
    }

    fn get(&self, number: u32) -> Option<T> {
        self.values.get(number as usize).copied()
    }
}

impl Join {
    /// Begins a join of these points.
    #[must_use]
    pub fn new(points: Vec<PointInfo>, translations: Vec<Translation>, options: Options) -> Self {
        Self {
            points: points.into_iter().map(|info| (info, PointState::default())).collect(),
            options,
            seen: Vec::new(),
            tuples: Interner::new(),
            lanes: Interner::new(),
            translations,
            untracked: 0,
        }
    }

    /// Adds a frame that a point saw at `nanos`, in nanoseconds since 1970 by the clock of the point's node. The frames
    /// of one point come in the order of the capture; the points may come in any order. A point that
    /// [`Join::new`] does not know is ignored.
    pub fn add(&mut self, point: usize, nanos: u64, frame: &Frame) {
        let share = self.options.packets / self.points.len().max(1);
        let Some((info, state)) = self.points.get_mut(point) else { return };
        let summary = &mut state.summary;
        summary.frames += 1;
        if state.full {
            summary.unkept += 1;
            return;
        }
        if state.kept >= share {
            // What comes from now on is not known, so the window ends before it.
            state.full = true;
            summary.unkept += 1;
            let end = nanos.saturating_sub(1);
            let begin = info.window.map_or(summary.window.0, |window| window.0);
            info.window = Some((begin, info.window.map_or(end, |window| window.1.min(end))));
            return;
        }
        if summary.frames == 1 {
            summary.window = (nanos, nanos);
        }
        summary.window = (summary.window.0.min(nanos), summary.window.1.max(nanos));
        let mut damaged = false;
        let (inner, tunnel) = innermost(frame, |layer| damaged |= layer.problem.is_some());
        let Network::Ip(ip) = &inner.network else {
            let lacks_network = inner.problem.is_some() || inner.network == Network::Unknown;
            summary.unidentified += u64::from(damaged && lacks_network);
            return;
        };
        let Some(mut seen) = observe(ip) else {
            summary.unidentified += 1;
            return;
        };
        // A header that is cut in its options may lack the timestamps that identify it elsewhere.
        if matches!(inner.problem, Some(FrameProblem::Cut("TCP"))) {
            summary.unidentified += 1;
            return;
        }
        let tuple = self.tuples.number(Tuple::of(ip), self.options.tuples);
        let lane = self.lanes.number((tunnel, inner.vlans.last().copied()), self.options.tuples);
        let (Some(tuple), Some(lane), Ok(point)) = (tuple, lane, u16::try_from(point)) else {
            self.untracked += 1;
            return;
        };
        state.kept += 1;
        seen = SeenPacket { nanos, tuple, lane, point, ..seen };
        self.seen.push(seen);
    }

    /// Joins the packets.
    #[must_use]
    pub fn finish(mut self) -> JoinReport {
        for (info, state) in &mut self.points {
            state.summary.window = info.window.unwrap_or(state.summary.window);
        }
        let (groups, inferred) = self.groups();
        let group_of = |seen: &SeenPacket| groups.get(seen.tuple as usize).copied().unwrap_or(seen.tuple);
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_by_key(|seen| (group_of(seen), seen.identity, seen.nanos));
        let directions: BTreeMap<u32, Packets> = seen
            .chunk_by(|a, b| group_of(a) == group_of(b))
            .filter_map(|seen| seen.first().map(|first| (group_of(first), Packets::pair(seen, STATIONS))))
            .collect();
        let conversations = self.conversations(&groups, &directions);
        let bounds = self.clocks(&conversations, &directions);
        let reference = self.points.first().map_or(0, |(info, _)| info.node);
        let clocks = bounds.solve(reference);
        let fragments: BTreeSet<_> = seen
            .iter()
            .filter(|seen| seen.is_fragment)
            .filter_map(|seen| {
                let tuple = self.tuples.get(seen.tuple)?;
                Some((seen.point, tuple.source.address, tuple.destination.address, seen.id))
            })
            .collect();
        let empty = Packets::default();
        let judge = Judge { join: &self, clocks: &clocks, fragments: &fragments };
        let joined = conversations.iter().map(|(first, other)| {
            let packets = [Some(*first), *other]
                .map(|group| group.and_then(|group| directions.get(&group)).unwrap_or(&empty));
            let stations = packets.map(|packets| Stations::new(packets, &self, &clocks));
            let [forward, back] = &stations;
            let directions = [
                judge.direction(packets[0], forward, packets[1]),
                judge.direction(packets[1], back, packets[0]),
            ];
            let mut tuples: Vec<Tuple> = Vec::new();
            for station in &directions[0].stations {
                if !tuples.contains(&station.tuple) {
                    tuples.push(station.tuple);
                }
            }
            let points = |direction: &Direction| -> BTreeSet<usize> {
                direction.stations.iter().map(|station| station.point).collect()
            };
            let [one, two] = [points(&directions[0]), points(&directions[1])];
            let both = !one.is_empty() && !two.is_empty();
            let only = |a: &BTreeSet<usize>, b: &BTreeSet<usize>| -> Vec<usize> {
                if both { a.difference(b).copied().collect() } else { Vec::new() }
            };
            JoinedConversation {
                inferred: tuples.len() > 1 && inferred.contains(first),
                tuples,
                one_way_points: [only(&one, &two), only(&two, &one)],
                directions,
            }
        });
        let conversations = joined.collect();
        let nodes: BTreeSet<usize> = self.points.iter().map(|(info, _)| info.node).collect();
        JoinReport {
            conversations,
            clocks: nodes
                .into_iter()
                .map(|node| {
                    let known = clocks.get(node);
                    Clock {
                        node,
                        ahead: known.map(|known| known.0),
                        uncertainty: known.map_or(0, |known| known.1),
                    }
                })
                .collect(),
            points: self.points.iter().map(|(_, state)| state.summary).collect(),
            untracked: self.untracked,
        }
    }

    /// Returns the group of each tuple: tuples that are translated into each other are one group. The second value has
    /// the groups with an inferred translation.
    fn groups(&mut self) -> (Vec<u32>, BTreeSet<u32>) {
        for translation in std::mem::take(&mut self.translations) {
            let Translation { before, after } = translation;
            for tuple in [before, after, before.reversed(), after.reversed()] {
                // Translations come from the caller, so they do not count against the limit.
                let _ = self.tuples.number(tuple, usize::MAX);
            }
            self.translations.push(translation);
        }
        let mut groups = Groups((0..self.tuples.values.len() as u32).collect());
        for Translation { before, after } in &self.translations {
            for (before, after) in [(*before, *after), (before.reversed(), after.reversed())] {
                let number = |tuple| self.tuples.numbers.get(&tuple).copied();
                if let (Some(before), Some(after)) = (number(before), number(after)) {
                    groups.join(before, after);
                }
            }
        }
        let mut inferred = BTreeSet::new();
        if self.options.infer {
            for (one, two) in self.inferences(&mut groups) {
                groups.join(one, two);
                inferred.insert(one);
                let reversed = |number| {
                    let tuple = self.tuples.get(number)?.reversed();
                    self.tuples.numbers.get(&tuple).copied()
                };
                if let (Some(one), Some(two)) = (reversed(one), reversed(two)) {
                    groups.join(one, two);
                    inferred.insert(one);
                }
            }
        }
        let roots: Vec<u32> = (0..groups.0.len() as u32).map(|number| groups.root(number)).collect();
        let inferred =
            inferred.into_iter().filter_map(|number| roots.get(number as usize).copied()).collect();
        (roots, inferred)
    }

    /// Returns pairs of tuples of different groups that carry the same TCP segments.
    fn inferences(&self, groups: &mut Groups) -> BTreeSet<(u32, u32)> {
        let mut forms: HashMap<u64, Vec<u32>> = HashMap::new();
        for seen in &self.seen {
            let Numbers::Tcp { signature: Some(signature), .. } = seen.numbers else { continue };
            let forms = forms.entry(signature).or_default();
            if forms.len() < FORMS && !forms.contains(&seen.tuple) {
                forms.push(seen.tuple);
            }
        }
        let mut pairs = BTreeSet::new();
        for forms in forms.into_values().filter(|forms| forms.len() > 1) {
            for (place, one) in forms.iter().enumerate() {
                for two in forms.iter().skip(place + 1) {
                    let (Some(a), Some(b)) = (self.tuples.get(*one), self.tuples.get(*two)) else { continue };
                    if may_be_translated(a, b) && groups.root(*one) != groups.root(*two) {
                        pairs.insert((*one.min(two), *one.max(two)));
                    }
                }
            }
        }
        pairs
    }

    /// Returns the groups of the two directions of each conversation, in the order of their first packets.
    fn conversations(&self, groups: &[u32], directions: &BTreeMap<u32, Packets>) -> Vec<(u32, Option<u32>)> {
        let mut reverse: BTreeMap<u32, u32> = BTreeMap::new();
        for (number, tuple) in self.tuples.values.iter().enumerate() {
            let Some(group) = groups.get(number) else { continue };
            let Some(other) = self.tuples.numbers.get(&tuple.reversed()) else { continue };
            if let Some(other) = groups.get(*other as usize).filter(|other| *other != group) {
                reverse.insert(*group, *other);
            }
        }
        let begin = |group: u32| directions.get(&group).map(|packets| packets.begin);
        let mut order: Vec<(u64, u32)> =
            directions.iter().map(|(group, packets)| (packets.begin, *group)).collect();
        order.sort_unstable();
        let mut done = BTreeSet::new();
        let mut conversations = Vec::new();
        for (_, group) in order {
            if done.contains(&group) {
                continue;
            }
            let other =
                reverse.get(&group).copied().filter(|other| begin(*other).is_some() && !done.contains(other));
            done.insert(group);
            done.extend(other);
            conversations.push((group, other));
        }
        conversations
    }

    /// Compares the clocks of the nodes by the packets of all conversations.
    fn clocks(&self, conversations: &[(u32, Option<u32>)], directions: &BTreeMap<u32, Packets>) -> Bounds {
        let mut bounds = Bounds::default();
        for (first, other) in conversations {
            let Some(other) = other.and_then(|other| directions.get(&other)) else { continue };
            let Some(first) = directions.get(first) else { continue };
            let back = other.differences();
            for ((a, b), forward) in first.differences() {
                let node = |point: u16| self.points.get(usize::from(point)).map(|(info, _)| info.node);
                if let (Some(back), Some(from), Some(to)) = (back.get(&(a, b)), node(a), node(b))
                    && from != to
                {
                    bounds.add((from, to), forward, *back);
                }
            }
        }
        bounds
    }
}

/// Sets of numbers that are joined.
struct Groups(Vec<u32>);

impl Groups {
    fn root(&mut self, mut number: u32) -> u32 {
        loop {
            let parent = self.0.get(number as usize).copied().unwrap_or(number);
            if parent == number {
                return number;
            }
            let above = self.0.get(parent as usize).copied().unwrap_or(parent);
            if let Some(place) = self.0.get_mut(number as usize) {
                *place = above;
            }
            number = above;
        }
    }

    fn join(&mut self, one: u32, two: u32) {
        let (one, two) = (self.root(one), self.root(two));
        if let Some(place) = self.0.get_mut(one.max(two) as usize) {
            *place = one.min(two);
        }
    }
}
