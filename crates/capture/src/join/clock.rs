//! The difference between the clocks of two nodes.
//!
//! A packet that goes from one node to another arrives later than it leaves. So each packet in one direction gives an
//! upper bound of the difference of the clocks, and each packet in the other direction a lower bound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The smallest and the largest difference between the times of the same packet at two points.
pub(super) type Range = (i64, i64);

/// What is known about the clocks of pairs of nodes.
#[derive(Default)]
pub(super) struct Bounds {
    /// For the nodes `(a, b)`: the least and the greatest time by which the clock of `b` is ahead.
    pairs: BTreeMap<(usize, usize), (i64, i64)>,
}

impl Bounds {
    /// Adds the times of packets of one conversation: time at node `b` minus time at node `a`, for each direction.
    pub(super) fn add(&mut self, (a, b): (usize, usize), forward: Range, back: Range) {
        if a > b {
            let turned = |range: Range| (range.1.saturating_neg(), range.0.saturating_neg());
            return self.add((b, a), turned(forward), turned(back));
        }
        let (low, high) = if back.1 <= forward.0 {
            (back.1, forward.0)
        } else if forward.1 <= back.0 {
            (forward.1, back.0)
        } else {
            // The packets of both directions go back and forth between the nodes, or a clock was set.
            (i64::MAX, i64::MIN)
        };
        let known = self.pairs.entry((a, b)).or_insert((i64::MIN, i64::MAX));
        *known = (known.0.max(low), known.1.min(high));
    }

    /// Compares the clocks of all nodes with the clock of `reference`.
    pub(super) fn solve(self, reference: usize) -> Clocks {
        let mut known: BTreeMap<usize, (i64, u64)> = BTreeMap::from([(reference, (0, 0))]);
        let mut queue = VecDeque::from([reference]);
        let nodes: BTreeSet<usize> = self.pairs.keys().flat_map(|(a, b)| [*a, *b]).collect();
        while let Some(node) = queue.pop_front() {
            let Some((ahead, uncertainty)) = known.get(&node).copied() else { continue };
            for other in &nodes {
                let (key, sign) = if node < *other { ((node, *other), 1) } else { ((*other, node), -1) };
                let bounds = self.pairs.get(&key).copied();
                let Some((middle, half)) = bounds.and_then(middle) else { continue };
                if !known.contains_key(other) {
                    let ahead = ahead.saturating_add(sign * middle);
                    known.insert(*other, (ahead, uncertainty.saturating_add(half)));
                    queue.push_back(*other);
                }
            }
        }
        Clocks { pairs: self.pairs, known }
    }
}

/// Returns the middle of two bounds and half the time between them, unless the bounds contradict each other.
fn middle((low, high): (i64, i64)) -> Option<(i64, u64)> {
    let known = low <= high && low != i64::MIN && high != i64::MAX;
    known.then(|| (low / 2 + high / 2 + (low % 2 + high % 2) / 2, high.abs_diff(low).div_ceil(2)))
}

/// The differences of the clocks.
pub(super) struct Clocks {
    pairs: BTreeMap<(usize, usize), (i64, i64)>,
    /// By how much each clock is ahead of the reference, and by how much this may be wrong.
    known: BTreeMap<usize, (i64, u64)>,
}

impl Clocks {
    /// Returns by how much the clock of a node is ahead of the reference, and by how much this may be wrong.
    pub(super) fn get(&self, node: usize) -> Option<(i64, u64)> {
        self.known.get(&node).copied()
    }

    /// Returns by how much the clock of `b` is ahead of the clock of `a`, and by how much this may be wrong. Packets
    /// between these two nodes tell more than packets over a third node.
    pub(super) fn between(&self, a: usize, b: usize) -> Option<(i64, u64)> {
        if let Some(bounds) = self.pairs.get(&(a.min(b), a.max(b))) {
            let (ahead, half) = middle(*bounds)?;
            return Some((if a < b { ahead } else { -ahead }, half));
        }
        let (from, to) = (self.get(a)?, self.get(b)?);
        Some((to.0.saturating_sub(from.0), from.1.saturating_add(to.1)))
    }
}
