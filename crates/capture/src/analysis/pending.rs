//! Questions that wait for their answers, bounded in number.

use std::{collections::HashMap, hash::Hash};

/// Nanoseconds in a second.
pub(super) const SECOND: u64 = 1_000_000_000;

/// Nanoseconds after which a question that waits no longer counts as open: 30 s. If the table is full, such questions
/// leave it as unanswered. Linux drops an incomplete set of fragments after the same time (`ipfrag_time`).
pub(super) const TIMEOUT: u64 = 30 * SECOND;

/// A question, by its key, and the time when it was asked first.
pub(super) struct Pending<K, V> {
    entries: HashMap<K, (u64, V)>,
    limit: usize,
    next_sweep: u64,
    /// The number of questions that found the table full, so that nobody waits for their answers.
    pub(super) untracked: u64,
}

impl<K: Eq + Hash + Clone, V> Pending<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), limit, next_sweep: 0, untracked: 0 }
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut (u64, V)> {
        self.entries.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<(u64, V)> {
        self.entries.remove(key)
    }

    /// Adds a question. Returns the questions that had no answer in time, if they made room.
    pub(super) fn insert(&mut self, nanos: u64, key: K, value: V) -> Vec<(K, u64, V)> {
        let mut expired = Vec::new();
        if self.entries.len() >= self.limit && nanos >= self.next_sweep {
            self.next_sweep = nanos.saturating_add(SECOND);
            let old = self.entries.extract_if(|_, (asked, _)| nanos.saturating_sub(*asked) > TIMEOUT);
            expired.extend(old.map(|(key, (asked, value))| (key, asked, value)));
        }
        if self.entries.len() < self.limit {
            self.entries.insert(key, (nanos, value));
        } else {
            self.untracked = self.untracked.saturating_add(1);
        }
        expired
    }

    /// Returns all questions without an answer, in the order of their times.
    pub(super) fn into_sorted(self) -> Vec<(K, u64, V)>
    where
        K: Ord,
    {
        let mut rest: Vec<_> =
            self.entries.into_iter().map(|(key, (nanos, value))| (key, nanos, value)).collect();
        rest.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        rest
    }
}
