//! Reports the progress of a call to a client that asked for it.

use crate::NodeName;
use std::{
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// One progress report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProgressReport {
    /// The progress in percent, which is more than in the previous report.
    pub(crate) percent: f64,
    /// The progress in words.
    pub(crate) message: String,
}

/// Reports the progress of a call, if the client asked for it.
///
/// A client that reads slowly misses reports; the call does not wait for the client.
#[derive(Debug, Default)]
pub struct Progress(Option<ProgressSender>);

#[derive(Debug)]
struct ProgressSender {
    steps: mpsc::Sender<ProgressReport>,
    /// The percentage of the last report.
    last: Mutex<f64>,
}

/// The share of opening the source in the progress, in percent. The rest is the share of answering.
const OPENING: f64 = 50.0;

/// The interval between reports, and the time before the first one.
const BEAT: Duration = Duration::from_millis(500);

impl Progress {
    /// Returns a progress for a client that asked for it, and the receiver of the reports.
    pub(crate) fn asked() -> (Self, mpsc::Receiver<ProgressReport>) {
        let (steps, heard) = mpsc::channel(8);
        (Self(Some(ProgressSender { steps, last: Mutex::new(-1.0) })), heard)
    }

    /// Runs `work`, which opens the source `name`, and reports how many bytes of the source are read. `read` returns
    /// the number of bytes that are read and the total.
    pub(crate) async fn opening<T>(
        &self,
        work: impl Future<Output = T>,
        name: &str,
        read: impl Fn() -> (u64, u64),
    ) -> T {
        self.beating(work, || {
            let (done, all) = read();
            let part = done.min(all) as f64 / all.max(1) as f64;
            let mega = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
            (OPENING * part, format!("opening {name}: {} of {} MB read", mega(done), mega(all)))
        })
        .await
    }

    /// Runs `work`, which reads nodes within a time limit, and reports which nodes have answered.
    pub(crate) async fn asking<T>(
        &self,
        work: impl Future<Output = T>,
        answered: &AnsweredNodes,
        within: Duration,
    ) -> T {
        let start = Instant::now();
        self.beating(work, || {
            let spent = start.elapsed().as_secs_f64() / within.as_secs_f64().max(1.0);
            let (done, all) = (answered.done.load(Ordering::Relaxed) as f64, answered.all.max(1) as f64);
            // Elapsed time counts as progress towards the part that is still missing.
            let part = (done + (all - done) * spent.min(1.0)) / all;
            (OPENING + (100.0 - OPENING) * part, answered.message(start.elapsed(), within))
        })
        .await
    }

    async fn beating<T>(&self, work: impl Future<Output = T>, step: impl Fn() -> (f64, String)) -> T {
        let Some(to) = &self.0 else { return work.await };
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = beat.tick() => to.tell(step()),
            }
        }
    }
}

impl ProgressSender {
    fn tell(&self, (percent, message): (f64, String)) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The protocol requires that each percentage is more than the last.
        if percent > *last && self.steps.try_send(ProgressReport { percent, message }).is_ok() {
            *last = percent;
        }
    }
}

/// The nodes of a call that have answered.
pub(crate) struct AnsweredNodes {
    all: usize,
    done: AtomicUsize,
    last: Mutex<Option<NodeName>>,
}

impl AnsweredNodes {
    /// Returns a count for `all` nodes of which none has answered. Zero stands for a call that reads no node.
    pub(crate) fn of(all: usize) -> Self {
        Self { all, done: AtomicUsize::new(0), last: Mutex::default() }
    }

    /// Counts the answer of a node.
    pub(crate) fn add(&self, node: &NodeName) {
        self.done.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(node.clone());
    }

    fn message(&self, spent: Duration, within: Duration) -> String {
        let time = format!("{} of at most {} s", spent.as_secs(), within.as_secs());
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.all, &*last) {
            (0 | 1, _) => time,
            (all, None) => format!("none of {all} nodes has answered; {time}"),
            (all, Some(last)) => {
                let done = self.done.load(Ordering::Relaxed);
                format!("{done} of {all} nodes have answered, {last} last; {time}")
            }
        }
    }
}
