//! Pairs the observations of one direction: which of them are the same packet.

use std::collections::BTreeMap;

use super::clock::Range;
use super::observe::{Numbers, SeenPacket};

/// Nanoseconds after which an equal identification belongs to another packet: a fast sender uses all of them in this
/// time.
const REUSED: u64 = 1_000_000_000;
/// Nanoseconds within which an equal packet without an identification may be a copy.
const COPY: u64 = 10_000_000;

/// A place where packets are seen: the point, the tuple and whether they are in a tunnel with this VNI.
pub(super) type PacketPlace = (u16, u32, u32);

/// A packet at one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) place: usize,
    pub(super) nanos: u64,
    pub(super) copies: u64,
}

/// A packet.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Where it was seen, each place once.
    pub(super) sightings: Vec<Sighting>,
    /// It is surely the same packet at all places, so that its times can be compared.
    pub(super) sure: bool,
    /// It may be a copy of another packet, so that its loss says nothing.
    pub(super) may_be_copy: bool,
    /// Places that have fewer packets that are equal to this one than another place has: some of them were lost, or
    /// some of the others are copies.
    pub(super) short: Vec<usize>,
    pub(super) numbers: Numbers,
    pub(super) id: u16,
    pub(super) is_fragment: bool,
}

/// What a place adds up.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaceCounts {
    pub(super) place: PacketPlace,
    pub(super) last_lane: u32,
    pub(super) ttl: (u8, u8),
    pub(super) congested: u64,
    pub(super) times: (u64, u64),
}

/// The packets of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Packets {
    pub(super) packets: Vec<Packet>,
    pub(super) places: Vec<PlaceCounts>,
    /// The time of the earliest observation.
    pub(super) begin: u64,
    /// Packets were seen at more places than the join looks at.
    pub(super) overflow: bool,
}

impl Packets {
    /// Pairs observations, which are sorted by identity and time. At most `limit` places are looked at.
    pub(super) fn pair(seen: &[SeenPacket], limit: usize) -> Self {
        let mut result = Self { begin: u64::MAX, ..Self::default() };
        for class in seen.chunk_by(|a, b| a.identity == b.identity) {
            let mut by_place: Vec<Vec<(u64, u64)>> = Vec::new();
            let identified = class.iter().all(|seen| seen.identified) && !is_spread(class);
            for seen in class {
                result.begin = result.begin.min(seen.nanos);
                let Some(place) = result.place(seen, limit) else {
                    result.overflow = true;
                    continue;
                };
                if by_place.len() <= place {
                    by_place.resize(place + 1, Vec::new());
                }
                let Some(times) = by_place.get_mut(place) else { continue };
                match times.first_mut() {
                    Some((_, copies)) if identified => *copies += 1,
                    _ => times.push((seen.nanos, 0)),
                }
            }
            let Some(first) = class.first() else { continue };
            result.class(&by_place, first);
        }
        result
    }

    /// Returns the number of the place of an observation, and adds the observation to its counts.
    fn place(&mut self, seen: &SeenPacket, limit: usize) -> Option<usize> {
        let key = (seen.point, seen.tuple, seen.lane);
        let place = match self.places.iter().position(|counts| counts.place == key) {
            Some(place) => place,
            None if self.places.len() >= limit => return None,
            None => {
                let (ttl, times) = ((seen.ttl, seen.ttl), (seen.nanos, seen.nanos));
                self.places.push(PlaceCounts { place: key, last_lane: seen.lane, ttl, congested: 0, times });
                self.places.len() - 1
            }
        };
        let counts = self.places.get_mut(place)?;
        counts.last_lane = seen.lane;
        counts.ttl = (counts.ttl.0.min(seen.ttl), counts.ttl.1.max(seen.ttl));
        counts.times = (counts.times.0.min(seen.nanos), counts.times.1.max(seen.nanos));
        counts.congested += u64::from(seen.ecn == 3);
        Some(place)
    }

    /// Adds the packets of observations with the same identity: the times and copies at each place.
    fn class(&mut self, by_place: &[Vec<(u64, u64)>], seen: &SeenPacket) {
        let most = by_place.iter().map(Vec::len).max().unwrap_or(0);
        let short: Vec<usize> = by_place
            .iter()
            .enumerate()
            .filter(|(_, times)| !times.is_empty() && times.len() < most)
            .map(|(place, _)| place)
            .collect();
        for number in 0..most {
            let at = |number: usize| {
                by_place.iter().enumerate().filter_map(move |(place, times)| {
                    times.get(number).map(|(nanos, copies)| Sighting {
                        place,
                        nanos: *nanos,
                        copies: *copies,
                    })
                })
            };
            let close = number > 0
                && at(number).any(|sighting| {
                    at(number - 1).any(|before| {
                        before.place == sighting.place && sighting.nanos.abs_diff(before.nanos) < COPY
                    })
                });
            self.packets.push(Packet {
                sightings: at(number).collect(),
                sure: most == 1,
                may_be_copy: close,
                short: short.clone(),
                numbers: seen.numbers,
                id: seen.id,
                is_fragment: seen.is_fragment,
            });
        }
    }

    /// Returns the packets whose times can be compared: those without copies, if there are any. A point that misses the
    /// original and has the copy would make the packet look late.
    pub(super) fn timed(&self) -> impl Iterator<Item = &Packet> {
        let single = |packet: &Packet| packet.sightings.iter().all(|sighting| sighting.copies == 0);
        let any =
            self.packets.iter().any(|packet| packet.sure && packet.sightings.len() > 1 && single(packet));
        self.packets.iter().filter(move |packet| packet.sure && (!any || single(packet)))
    }

    /// Returns the least and the greatest difference of the times of the same packet at two points, for each pair of
    /// points.
    pub(super) fn differences(&self) -> BTreeMap<(u16, u16), Range> {
        let mut differences: BTreeMap<(u16, u16), Range> = BTreeMap::new();
        for packet in self.timed() {
            for one in &packet.sightings {
                for two in &packet.sightings {
                    let point =
                        |sighting: &Sighting| self.places.get(sighting.place).map(|counts| counts.place.0);
                    let (Some(a), Some(b)) = (point(one), point(two)) else { continue };
                    if a == b {
                        continue;
                    }
                    let difference = two.nanos.cast_signed().wrapping_sub(one.nanos.cast_signed());
                    let range = differences.entry((a, b)).or_insert((difference, difference));
                    *range = (range.0.min(difference), range.1.max(difference));
                }
            }
        }
        differences
    }
}

/// Returns whether observations of one point are so far apart that they are different packets.
fn is_spread(class: &[SeenPacket]) -> bool {
    let mut last: BTreeMap<u16, u64> = BTreeMap::new();
    class.iter().any(|seen| {
        let before = last.insert(seen.point, seen.nanos);
        before.is_some_and(|before| seen.nanos.abs_diff(before) > REUSED)
    })
}
