//! Samples counters twice, and shows which counters moved and how fast.

use crate::{Answer, Node, Row, RowIdentity, ToolError, counted};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The values of counters at one moment, by name.
pub type Counters = BTreeMap<String, u64>;

/// The changes of counters between two samples.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterDelta {
    /// The time between the samples.
    pub elapsed: Duration,
    /// The counters that moved, sorted by name.
    pub moved: Vec<MovedCounter>,
    /// The number of counters with the same value in both samples.
    pub still: usize,
}

/// A counter that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedCounter {
    /// The name of the counter.
    pub name: String,
    /// The change of the counter.
    pub change: CounterChange,
}

/// The way in which a counter moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterChange {
    /// The counter grew.
    By {
        /// The growth.
        more: u64,
        /// The value in the second sample.
        now: u64,
    },
    /// The value is lower than before, because the counter was reset or its object was created again.
    Reset {
        /// The value in the first sample.
        before: u64,
        /// The value in the second sample.
        now: u64,
    },
    /// Only the second sample has the counter. Programs leave out counters that never moved.
    New(u64),
    /// Only the first sample has the counter.
    Gone(u64),
}

impl CounterDelta {
    /// The longest time between two samples in seconds. A call must end.
    pub const LONGEST: u16 = 120;

    /// Reads counters, waits, and reads them again.
    ///
    /// # Errors
    ///
    /// Returns the error of a reading, or an error if the source is not live or the call has too little time.
    pub async fn sample<Reading, Failed>(
        node: &Node<'_>,
        seconds: u16,
        read: impl Fn() -> Reading + Send,
    ) -> Result<Self, ToolError>
    where
        Reading: Future<Output = Result<Counters, Failed>> + Send,
        Failed: Into<ToolError>,
    {
        if !node.is_live() {
            return Err(ToolError::bad(
                format!(
                    "delta_seconds needs a live node, and this source has only one sample of {}",
                    node.name()
                ),
                "Omit delta_seconds to see the collected counters, or compare two bundles.",
            ));
        }
        let between = Duration::from_secs(seconds.into());
        if between >= node.within() {
            return Err(ToolError::bad(
                format!(
                    "delta_seconds={seconds} is too long for timeout_seconds={}",
                    node.within().as_secs()
                ),
                format!("Pass timeout_seconds={} or a smaller delta_seconds.", u32::from(seconds) + 15),
            ));
        }
        let before = read().await.map_err(Into::into)?;
        let start = Instant::now();
        tokio::time::sleep(between).await;
        let after = read().await.map_err(Into::into)?;
        Ok(Self::between(&before, &after, start.elapsed()))
    }

    /// Returns the changes between two samples.
    pub fn between(before: &Counters, after: &Counters, elapsed: Duration) -> Self {
        let mut moved = Vec::new();
        let mut still = 0;
        let mut add = |name: &String, change| moved.push(MovedCounter { name: name.clone(), change });
        for (name, now) in after {
            match before.get(name) {
                Some(before) if before == now => still += 1,
                Some(before) => match now.checked_sub(*before) {
                    Some(more) => add(name, CounterChange::By { more, now: *now }),
                    None => add(name, CounterChange::Reset { before: *before, now: *now }),
                },
                None => add(name, CounterChange::New(*now)),
            }
        }
        for (name, before) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
            add(name, CounterChange::Gone(*before));
        }
        moved.sort_by(|a, b| a.name.cmp(&b.name));
        Self { elapsed, moved, still }
    }

    /// Returns an answer with one row for each counter that moved.
    pub fn answer(&self) -> Answer {
        let seconds = self.elapsed.as_secs_f64();
        let width = self.moved.iter().map(|moved| moved.name.chars().count()).max().unwrap_or(0).min(60);
        let row = |MovedCounter { name, change }: &MovedCounter| {
            let text = match change {
                CounterChange::By { more, now } => {
                    format!("+{more} ({}/s), now {now}", rate(*more as f64 / seconds))
                }
                CounterChange::Reset { before, now } => format!("reset: was {before}, now {now}"),
                CounterChange::New(now) => format!("new: {now}"),
                CounterChange::Gone(before) => format!("gone: was {before}"),
            };
            let identity = RowIdentity { key: name.clone(), ..RowIdentity::default() };
            Row::with(format!("{name:<width$}  {text}"), identity)
        };
        Answer {
            rows: self.moved.iter().map(row).collect(),
            if_empty: format!("none of the {} counters moved in {seconds:.1} s", self.still),
            notes: vec![format!(
                "the two samples are {seconds:.1} s apart; {} did not move",
                counted(self.still, "counter")
            )],
            ..Answer::default()
        }
    }
}

/// Formats a rate with as many digits as are useful.
fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 100.0 => format!("{r:.0}"),
        r if r >= 1.0 => format!("{r:.1}"),
        r => format!("{r:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counters(of: &[(&str, u64)]) -> Counters {
        of.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn each_kind_of_change_is_shown() {
        let before = counters(&[("a", 10), ("b", 7), ("c", 5), ("gone", 1)]);
        let after = counters(&[("a", 2010), ("b", 3), ("c", 5), ("new", 4)]);
        let answer = CounterDelta::between(&before, &after, Duration::from_secs(8)).answer();
        let lines: Vec<&str> = answer.rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(
            lines,
            [
                "a     +2000 (250/s), now 2010",
                "b     reset: was 7, now 3",
                "gone  gone: was 1",
                "new   new: 4",
            ]
        );
        assert_eq!(answer.notes, ["the two samples are 8.0 s apart; 1 counter did not move"]);
    }

    #[test]
    fn no_moved_counter_is_an_answer() {
        let same = counters(&[("a", 1), ("b", u64::MAX)]);
        let answer = CounterDelta::between(&same, &same, Duration::from_secs(2)).answer();
        assert_eq!(
            (answer.rows.len(), answer.if_empty.as_str()),
            (0, "none of the 2 counters moved in 2.0 s")
        );
    }

    proptest! {
        #[test]
        fn every_counter_is_accounted_for(
            before in prop::collection::btree_map("[a-d]{1,2}", any::<u64>(), 0..8),
            after in prop::collection::btree_map("[a-d]{1,2}", any::<u64>(), 0..8),
        ) {
            let delta = CounterDelta::between(&before, &after, Duration::from_secs(1));
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(delta.moved.len() + delta.still, names.len());
        }
    }
}
