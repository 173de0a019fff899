//! The order of the places of one direction.

use std::collections::BTreeMap;

use super::{
    Join,
    clock::Clocks,
    pairs::Packets,
    report::{Delay, Order},
};

/// What the packets that two places have in common say: the times at the second minus those at the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relation {
    pub(super) least: i64,
    pub(super) greatest: i64,
    pub(super) median: i64,
    /// How it is known that the first is before the second. `None` if the second is before the first.
    pub(super) before: Option<Order>,
}

/// The places of one direction in the order of the way.
pub(super) struct Stations {
    /// The places, as numbers into [`Packets::places`].
    pub(super) order: Vec<usize>,
    /// The relations of places, by their numbers.
    pub(super) relations: BTreeMap<(usize, usize), Relation>,
}

impl Stations {
    pub(super) fn new(packets: &Packets, join: &Join, clocks: &Clocks) -> Self {
        let mut times: BTreeMap<(usize, usize), Vec<i64>> = BTreeMap::new();
        for packet in packets.timed() {
            for one in &packet.sightings {
                for two in packet.sightings.iter().filter(|two| two.place != one.place) {
                    let difference = two.nanos.cast_signed().wrapping_sub(one.nanos.cast_signed());
                    times.entry((one.place, two.place)).or_default().push(difference);
                }
            }
        }
        let mut relations = BTreeMap::new();
        for ((one, two), mut times) in times {
            times.sort_unstable();
            let (Some(least), Some(greatest)) = (times.first(), times.last()) else { continue };
            let Some(median) = times.get(times.len() / 2) else { continue };
            let before = order(packets, join, clocks, (one, two), (*least, *greatest), *median);
            let relation = Relation { least: *least, greatest: *greatest, median: *median, before };
            relations.insert((one, two), relation);
        }
        let count = packets.places.len();
        let mut ahead = vec![vec![false; count]; count];
        let set = |ahead: &mut Vec<Vec<bool>>, one: usize, two: usize| {
            if let Some(cell) = ahead.get_mut(one).and_then(|row| row.get_mut(two)) {
                *cell = true;
            }
        };
        for ((one, two), relation) in &relations {
            if relation.before.is_some() {
                set(&mut ahead, *one, *two);
            }
        }
        let get = |ahead: &Vec<Vec<bool>>, one: usize, two: usize| {
            ahead.get(one).and_then(|row| row.get(two)).copied().unwrap_or_default()
        };
        for middle in 0..count {
            for one in 0..count {
                for two in 0..count {
                    if get(&ahead, one, middle) && get(&ahead, middle, two) {
                        set(&mut ahead, one, two);
                    }
                }
            }
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|two| {
            let earlier = (0..count).filter(|one| get(&ahead, *one, *two)).count();
            (earlier, packets.places.get(*two).map(|counts| counts.place))
        });
        Self { order, relations }
    }

    /// Returns the delay from the nearest place before this one that has packets in common with it, as a number into
    /// the order.
    pub(super) fn delay(
        &self,
        packets: &Packets,
        join: &Join,
        clocks: &Clocks,
        station: usize,
    ) -> Option<Delay> {
        let place = *self.order.get(station)?;
        (0..station).rev().find_map(|from| {
            let before = *self.order.get(from)?;
            let relation = self.relations.get(&(before, place))?;
            let order = relation.before?;
            let (ahead, uncertainty) = match ahead(packets, join, clocks, before, place) {
                Some((ahead, uncertainty)) => (ahead, Some(uncertainty)),
                None => (0, None),
            };
            Some(Delay { from, median: relation.median.saturating_sub(ahead), order, uncertainty })
        })
    }
}

/// Returns by how much the clock of the second place is ahead of that of the first, and the uncertainty.
fn ahead(packets: &Packets, join: &Join, clocks: &Clocks, one: usize, two: usize) -> Option<(i64, u64)> {
    let node = |place: usize| {
        let point = packets.places.get(place)?.place.0;
        join.points.get(usize::from(point)).map(|(info, _)| info.node)
    };
    let (from, to) = (node(one)?, node(two)?);
    if from == to {
        return Some((0, 0));
    }
    clocks.between(from, to)
}

/// Returns how it is known that the first place is before the second, or `None` if it is not before it.
fn order(
    packets: &Packets,
    join: &Join,
    clocks: &Clocks,
    (one, two): (usize, usize),
    (least, greatest): (i64, i64),
    median: i64,
) -> Option<Order> {
    let (first, second) = (packets.places.get(one)?, packets.places.get(two)?);
    let node = |point: u16| join.points.get(usize::from(point)).map(|(info, _)| info.node);
    let same_clock = node(first.place.0) == node(second.place.0);
    if same_clock && least != 0 && greatest != 0 && (least > 0) == (greatest > 0) {
        return (median > 0).then_some(Order::SameClock);
    }
    if let (false, Some((ahead, uncertainty))) = (same_clock, ahead(packets, join, clocks, one, two)) {
        let corrected = (least.saturating_sub(ahead), greatest.saturating_sub(ahead));
        // The middle of the bounds is rounded.
        let uncertainty = i64::try_from(uncertainty).unwrap_or(i64::MAX).saturating_sub(1);
        if corrected.0 >= uncertainty && corrected.1 > 0 {
            return Some(Order::BothDirections);
        }
        if corrected.1 <= -uncertainty && corrected.0 < 0 {
            return None;
        }
    }
    // Only if each packet of one place has a smaller time to live than each packet of the other.
    if first.ttl.0 > second.ttl.1 {
        return Some(Order::TimeToLive);
    }
    if second.ttl.0 > first.ttl.1 {
        return None;
    }
    (median > 0 || (median == 0 && first.place < second.place)).then_some(Order::Assumed)
}
