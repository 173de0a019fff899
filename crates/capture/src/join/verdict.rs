//! What happened to each packet.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Join,
    clock::Clocks,
    observe::Numbers,
    order::{Relation, Stations},
    pairs::{Packet, Packets, Sighting},
    report::{Direction, Loss, Order, Reason, Station, Unknown},
};

/// Decides what happened to the packets of a direction.
pub(super) struct Judge<'a> {
    pub(super) join: &'a Join,
    pub(super) clocks: &'a Clocks,
    /// The fragments: point, addresses and identification.
    pub(super) fragments: &'a BTreeSet<(u16, IpAddr, IpAddr, u16)>,
}

/// The bytes of a TCP stream, as sorted ranges, relative to the first segment.
type Ranges = Vec<(i64, i64)>;

/// What the judge knows about a direction.
struct Case<'a> {
    packets: &'a Packets,
    stations: &'a Stations,
    /// The sequence number to which others are relative.
    base: u32,
    /// The greatest acknowledgment of the other direction.
    acknowledged: Option<i64>,
    /// The echo messages of the other direction.
    echoes: BTreeSet<(u16, u16)>,
    /// The bytes that a place saw.
    bytes: BTreeMap<usize, Ranges>,
    /// The bytes of segments that the second place saw and the first did not.
    leftovers: BTreeMap<(usize, usize), Ranges>,
}

impl Judge<'_> {
    /// Describes a direction. `reply` is the other direction.
    pub(super) fn direction(&self, packets: &Packets, stations: &Stations, reply: &Packets) -> Direction {
        let mut direction = Direction {
            packets: packets.packets.len() as u64,
            stations: self.stations(packets, stations),
            ..Direction::default()
        };
        if packets.packets.is_empty() {
            return direction;
        }
        let seen: BTreeSet<usize> = direction.stations.iter().map(|station| station.point).collect();
        direction.points_without =
            (0..self.join.points.len()).filter(|point| !seen.contains(point)).collect();
        let mut case = Case::new(packets, stations, reply);
        let rank: BTreeMap<usize, usize> =
            stations.order.iter().enumerate().map(|(rank, place)| (*place, rank)).collect();
        let rank_of = |place: usize| rank.get(&place).copied().unwrap_or_default();
        let mut losses: BTreeMap<(usize, usize), (u64, u64, u64)> = BTreeMap::new();
        let mut unknown: BTreeMap<(usize, usize, Reason), u64> = BTreeMap::new();
        for packet in &packets.packets {
            for sighting in &packet.sightings {
                if let Some(station) = direction.stations.get_mut(rank_of(sighting.place)) {
                    station.packets += 1;
                    station.duplicates += sighting.copies;
                }
            }
            let Some(last) = packet.sightings.iter().max_by_key(|sighting| rank_of(sighting.place)) else {
                continue;
            };
            if let Some(station) = direction.stations.get_mut(rank_of(last.place)) {
                station.last_seen += 1;
            }
            match self.fate(&mut case, packet, last) {
                Fate::Arrived => {}
                Fate::Lost(before) => {
                    let times = losses
                        .entry((rank_of(last.place), rank_of(before)))
                        .or_insert((0, last.nanos, last.nanos));
                    *times = (times.0 + 1, times.1.min(last.nanos), times.2.max(last.nanos));
                }
                Fate::Unknown(before, reason) => {
                    *unknown.entry((rank_of(last.place), rank_of(before), reason)).or_default() += 1;
                }
            }
        }
        direction.losses = losses
            .into_iter()
            .map(|((after, before), (packets, first, last))| Loss {
                after,
                before,
                packets,
                times: (first, last),
            })
            .collect();
        direction.unknown = unknown
            .into_iter()
            .map(|((after, before, reason), packets)| Unknown { after, before, reason, packets })
            .collect();
        direction
    }

    fn stations(&self, packets: &Packets, stations: &Stations) -> Vec<Station> {
        let describe = |(number, place): (usize, &usize)| {
            let counts = packets.places.get(*place)?;
            let (point, tuple, _) = counts.place;
            let (tunnel, vlan) = self.join.lanes.get(counts.last_lane)?;
            Some(Station {
                point: usize::from(point),
                tuple: self.join.tuples.get(tuple)?,
                tunnel,
                vlan,
                ttl: counts.ttl,
                congested: counts.congested,
                packets: 0,
                duplicates: 0,
                last_seen: 0,
                times: counts.times,
                delay: stations.delay(packets, self.join, self.clocks, number),
            })
        };
        stations.order.iter().enumerate().filter_map(describe).collect()
    }

    /// Says what happened to a packet after the last place that saw it.
    fn fate(&self, case: &mut Case<'_>, packet: &Packet, last: &Sighting) -> Fate {
        let mut fate = Fate::Arrived;
        // If the order of the places that saw the packet is unknown, so is the last of them.
        let mut others = packet.sightings.iter().filter(|sighting| sighting.place != last.place);
        let surely_last = others.all(|sighting| case.is_surely_before(sighting.place, last.place));
        for place in &case.stations.order {
            if packet.sightings.iter().any(|sighting| sighting.place == *place) {
                continue;
            }
            let Some(relation) = case.stations.relations.get(&(last.place, *place)).copied() else {
                continue;
            };
            let reason = match relation.before {
                None if case.is_surely_before(*place, last.place) => continue,
                None | Some(Order::Assumed) => Some(Reason::OrderUnknown),
                Some(_) if !surely_last => Some(Reason::OrderUnknown),
                Some(_) => self.doubt(case, packet, last, *place, relation),
            };
            match (reason, &fate) {
                (None, _) => return Fate::Lost(*place),
                (Some(reason), Fate::Arrived) => fate = Fate::Unknown(*place, reason),
                _ => {}
            }
        }
        fate
    }

    /// Returns why a packet that a place lacks may not be lost.
    fn doubt(
        &self,
        case: &mut Case<'_>,
        packet: &Packet,
        last: &Sighting,
        place: usize,
        relation: Relation,
    ) -> Option<Reason> {
        let counts = case.packets.places.get(place)?;
        let (point, tuple, _) = counts.place;
        let (info, state) = self.join.points.get(usize::from(point))?;
        if info.kernel_drops.is_some_and(|drops| drops > 0) {
            return Some(Reason::KernelDrops);
        }
        if state.summary.unidentified > 0 || self.join.untracked > 0 || case.packets.overflow {
            return Some(Reason::Unidentified);
        }
        let margin = i64::try_from(self.join.options.margin).unwrap_or(i64::MAX);
        let earliest = last.nanos.saturating_add_signed(relation.least.saturating_sub(margin));
        let latest = last.nanos.saturating_add_signed(relation.greatest.saturating_add(margin));
        let (begin, end) = state.summary.window;
        if earliest < begin || latest > end {
            return Some(Reason::OutsideWindow);
        }
        if packet.may_be_copy || packet.short.contains(&place) {
            return Some(Reason::Ambiguous);
        }
        if !packet.is_fragment
            && packet.id != 0
            && let Some(tuple) = self.join.tuples.get(tuple)
            && self.fragments.contains(&(point, tuple.source.address, tuple.destination.address, packet.id))
        {
            return Some(Reason::Fragmented);
        }
        case.answer_or_other_segments(packet, last.place, place)
    }
}

enum Fate {
    /// No later place lacks it.
    Arrived,
    /// It was lost before this place.
    Lost(usize),
    /// This place lacks it.
    Unknown(usize, Reason),
}

impl<'a> Case<'a> {
    fn new(packets: &'a Packets, stations: &'a Stations, reply: &Packets) -> Self {
        let base = packets.packets.iter().find_map(|packet| match packet.numbers {
            Numbers::Tcp { sequence, .. } => Some(sequence),
            _ => None,
        });
        let base = base.unwrap_or_default();
        let mut acknowledged: Option<i64> = None;
        let mut echoes = BTreeSet::new();
        for packet in &reply.packets {
            match packet.numbers {
                Numbers::Tcp { acknowledgment: Some(acknowledgment), .. } => {
                    acknowledged = acknowledged.max(Some(relative(base, acknowledgment)));
                }
                Numbers::Echo { id, sequence, request: false } => {
                    echoes.insert((id, sequence));
                }
                _ => {}
            }
        }
        Self {
            packets,
            stations,
            base,
            acknowledged,
            echoes,
            bytes: BTreeMap::new(),
            leftovers: BTreeMap::new(),
        }
    }

    /// Returns whether the order of two places is known.
    fn is_surely_before(&self, one: usize, two: usize) -> bool {
        let relation = self.stations.relations.get(&(one, two));
        relation.is_some_and(|relation| relation.before.is_some_and(|order| order != Order::Assumed))
    }

    fn range(&self, packet: &Packet) -> Option<(i64, i64)> {
        let Numbers::Tcp { sequence, payload, .. } = packet.numbers else { return None };
        let from = relative(self.base, sequence);
        (payload > 0).then_some((from, from + i64::from(payload)))
    }

    /// Returns whether the packet was answered although the place lacks it, or whether other segments carry its bytes
    /// to the place.
    fn answer_or_other_segments(&mut self, packet: &Packet, last: usize, place: usize) -> Option<Reason> {
        if let Numbers::Echo { id, sequence, request: true } = packet.numbers {
            return self.echoes.contains(&(id, sequence)).then_some(Reason::Answered);
        }
        let (from, to) = self.range(packet)?;
        let mut leftovers = std::mem::take(&mut self.leftovers);
        let others = leftovers.entry((last, place)).or_insert_with(|| self.bytes_at(place, Some(last)));
        let resegmented = overlaps(others, from, to);
        self.leftovers = leftovers;
        if resegmented {
            return Some(Reason::Resegmented);
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        let known = bytes.entry(place).or_insert_with(|| self.bytes_at(place, None));
        let covered = covers(known, from, to);
        self.bytes = bytes;
        (!covered && self.acknowledged.is_some_and(|end| end >= to)).then_some(Reason::Answered)
    }

    /// Returns the bytes of the segments that a place saw, without those that another place saw too.
    fn bytes_at(&self, place: usize, without: Option<usize>) -> Ranges {
        let mut ranges: Ranges = self
            .packets
            .packets
            .iter()
            .filter(|packet| {
                let at = |place: usize| packet.sightings.iter().any(|sighting| sighting.place == place);
                at(place) && !without.is_some_and(at)
            })
            .filter_map(|packet| self.range(packet))
            .collect();
        ranges.sort_unstable();
        let mut merged = Ranges::new();
        for (from, to) in ranges {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = (*end).max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}

/// Returns the place of a sequence number relative to another one, up to 2 GiB before or after it.
fn relative(base: u32, sequence: u32) -> i64 {
    i64::from(sequence.wrapping_sub(base).cast_signed())
}

fn overlaps(ranges: &Ranges, from: i64, to: i64) -> bool {
    let next = ranges.partition_point(|range| range.1 <= from);
    ranges.get(next).is_some_and(|range| range.0 < to)
}

fn covers(ranges: &Ranges, from: i64, to: i64) -> bool {
    let next = ranges.partition_point(|range| range.1 < to);
    ranges.get(next).is_some_and(|range| range.0 <= from)
}
