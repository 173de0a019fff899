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

    /// Returns by how much the clock of each node is ahead of the clock of `reference`, and by how much this may be
    /// wrong, for the nodes of which it is known.
    pub(super) fn solve(&self, reference: usize) -> BTreeMap<usize, (i64, u64)> {
        let mut known = BTreeMap::from([(reference, (0, 0))]);
        let mut queue = VecDeque::from([reference]);
        let nodes: BTreeSet<usize> = self.pairs.keys().flat_map(|(a, b)| [*a, *b]).collect();
        while let Some(node) = queue.pop_front() {
            let Some((ahead, uncertainty)) = known.get(&node).copied() else { continue };
            for other in &nodes {
                let (key, sign) = if node < *other { ((node, *other), 1) } else { ((*other, node), -1) };
                let Some((low, high)) = self.pairs.get(&key).filter(|(low, high)| low <= high) else {
                    continue;
                };
                if !known.contains_key(other) {
                    let middle = low / 2 + high / 2 + (low % 2 + high % 2) / 2;
                    let half = high.abs_diff(*low).div_ceil(2);
                    known.insert(*other, (ahead + sign * middle, uncertainty + half));
                    queue.push_back(*other);
                }
            }
        }
        known
    }
}
