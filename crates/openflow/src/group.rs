//! Groups, as `dump-groups` prints them.

use crate::{described, dump, tokens};

/// A group: it copies a packet to several buckets or chooses one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The number of the group.
    pub id: u32,
    /// The type of the group, which decides how buckets are chosen.
    pub kind: GroupType,
    /// The buckets in order.
    pub buckets: Vec<Bucket<'a>>,
}

/// The choice of buckets in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupType {
    /// All buckets.
    All,
    /// The only bucket.
    Indirect,
    /// One bucket, chosen by a hash that the datapath computes.
    ByDatapathHash,
    /// One bucket, chosen by a hash of fields.
    ByFields,
    /// The first bucket that is alive.
    FirstAlive,
}

/// One bucket of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// The number of the bucket.
    pub id: u32,
    /// The share of packets relative to the other buckets.
    pub weight: u16,
    /// Whether the bucket is alive only while a port or another group is alive.
    pub watched: bool,
    /// The text of the actions.
    pub actions: &'a str,
}

/// The largest number of hash values that Open vSwitch keeps for a group (`MAX_SELECT_GROUP_HASH_VALUES`).
const MOST_HASHES: u64 = 256;

/// Parses the groups of a dump and returns the lines that are not groups.
pub fn groups(text: &str) -> (Vec<Group<'_>>, Vec<String>) {
    let (mut groups, mut other) = (Vec::new(), Vec::new());
    for described in described::groups(text) {
        let group = described.lines.first().and_then(|line| Group::parse(described.id, line));
        match (group, described.lines.as_slice()) {
            (Some(group), [_]) => groups.push(group),
            (_, lines) => other.push(format!("group_id={},{}", described.id, lines.join(" "))),
        }
    }
    other.extend(dump::cut(text));
    (groups, other)
}

impl<'a> Group<'a> {
    fn parse(id: &str, rest: &'a str) -> Option<Self> {
        let mut pieces = rest.split("bucket=");
        let (mut kind, mut method) = (None, None);
        for part in tokens::split(pieces.next()?) {
            match tokens::name_and_value(part, &['=']) {
                ("type", value) => kind = value,
                ("selection_method", value) => method = value,
                _ => {}
            }
        }
        let buckets =
            pieces.enumerate().map(|(at, piece)| Bucket::parse(at, piece)).collect::<Option<Vec<_>>>()?;
        let kind = match (kind?, method) {
            ("all", _) => GroupType::All,
            ("indirect", _) => GroupType::Indirect,
            ("ff" | "fast_failover", _) => GroupType::FirstAlive,
            ("select", None | Some("dp_hash")) => GroupType::ByDatapathHash,
            ("select", _) => GroupType::ByFields,
            _ => return None,
        };
        Some(Self { id: id.parse().ok()?, kind, buckets })
    }

    /// Returns the bucket for a hash of the datapath. Open vSwitch spreads hashes over buckets by their weights
    /// (Webster's method). Returns `None` if the group has no hashes: then Open vSwitch hashes fields itself.
    pub fn by_hash(&self, hash: u32) -> Option<usize> {
        let weights: Vec<u64> = self.buckets.iter().map(|bucket| bucket.weight.into()).collect();
        let total: u64 = weights.iter().sum();
        let least = weights.iter().copied().filter(|weight| *weight > 0).min()?;
        let wanted = total.div_ceil(least).max((weights.len() as u64 * 4).min(MOST_HASHES));
        let hashes = wanted.next_power_of_two().max(16);
        if hashes > MOST_HASHES {
            return None;
        }
        let mut divisors = vec![1u64; weights.len()];
        let mut winner = None;
        for _ in 0..=(u64::from(hash) & (hashes - 1)) {
            let share = |at: usize| {
                weights.get(at).copied().unwrap_or(0) as f64 / divisors.get(at).copied().unwrap_or(1) as f64
            };
            let best = (0..weights.len()).fold(0, |best, at| if share(at) > share(best) { at } else { best });
            if let Some(divisor) = divisors.get_mut(best) {
                *divisor += 2;
            }
            winner = Some(best);
        }
        winner
    }
}

impl<'a> Bucket<'a> {
    fn parse(at: usize, piece: &'a str) -> Option<Self> {
        let piece = piece.trim_end().trim_end_matches(',');
        let mut bucket = Self { id: u32::try_from(at).ok()?, weight: 1, watched: false, actions: "" };
        let (head, actions) = match piece.split_once("actions=") {
            Some((head, actions)) => (head, actions),
            // Before OpenFlow 1.5 a dump may omit this word.
            None => (piece, ""),
        };
        bucket.actions = actions;
        for part in tokens::split(head) {
            match tokens::name_and_value(part, &[':']) {
                ("bucket_id", Some(id)) => bucket.id = id.parse().ok()?,
                ("weight", Some(weight)) => bucket.weight = weight.parse().ok()?,
                ("watch_port" | "watch_group", Some(_)) => bucket.watched = true,
                _ => return None,
            }
        }
        Some(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_hashes() {
        let text = "NXST_GROUP_DESC reply (xid=0x2):\n group_id=4,type=select,selection_method=dp_hash,bucket=bucket_id:0,weight:100,actions=ct(commit,table=24,nat(dst=10.244.0.3:8080)),bucket=bucket_id:1,weight:100,actions=ct(commit,table=24,nat(dst=10.244.1.3:8080))\n group_id=5,type=wormhole,bucket=actions=drop\n";
        let (groups, other) = groups(text);
        let [group] = groups.as_slice() else { panic!("{groups:?}") };
        assert_eq!((group.id, group.kind, group.buckets.len()), (4, GroupType::ByDatapathHash, 2));
        assert_eq!(
            group.buckets.first().map(|it| it.actions),
            Some("ct(commit,table=24,nat(dst=10.244.0.3:8080))")
        );
        assert_eq!(other, ["group_id=5,type=wormhole,bucket=actions=drop"]);
        // Buckets of equal weight alternate.
        assert_eq!([0, 1, 2, 16].map(|hash| group.by_hash(hash)), [Some(0), Some(1), Some(0), Some(0)]);
    }
}
