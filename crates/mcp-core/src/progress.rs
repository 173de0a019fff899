//! How far a call is, for a client that asks while it waits.

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

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Of a hundred. More than the step before.
    pub(crate) percent: f64,
    /// In words.
    pub(crate) message: String,
}

/// Tells how far a call is. Nothing is done where nobody asked.
///
/// A client that is slow to hear it misses steps; the call does not wait for it.
#[derive(Debug, Default)]
pub struct Progress(Option<To>);

#[derive(Debug)]
struct To {
    steps: mpsc::Sender<Step>,
    /// What was told last.
    last: Mutex<f64>,
}

/// The part of a call that opening the source is, in a hundred; answering is the rest.
const OPENING: f64 = 50.0;

/// How often something is told, and how long a call is silent.
const BEAT: Duration = Duration::from_millis(500);

impl Progress {
    /// For a client that asked: what it is told arrives at the other end.
    pub(crate) fn asked() -> (Self, mpsc::Receiver<Step>) {
        let (steps, heard) = mpsc::channel(8);
        (Self(Some(To { steps, last: Mutex::new(-1.0) })), heard)
    }

    /// Runs what opens a source of so many bytes, and tells how many were read.
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

    /// Runs what asks nodes, within a time, and tells which have answered.
    pub(crate) async fn asking<T>(
        &self,
        work: impl Future<Output = T>,
        answered: &Answered,
        within: Duration,
    ) -> T {
        let start = Instant::now();
        self.beating(work, || {
            let spent = start.elapsed().as_secs_f64() / within.as_secs_f64().max(1.0);
            let (done, all) = (answered.done.load(Ordering::Relaxed) as f64, answered.all.max(1) as f64);
            // Time passes towards the end of what there is to wait for.
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

impl To {
    fn tell(&self, (percent, message): (f64, String)) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The protocol wants each to be more than the last.
        if percent > *last && self.steps.try_send(Step { percent, message }).is_ok() {
            *last = percent;
        }
    }
}

/// How many of the nodes of a call have answered.
pub(crate) struct Answered {
    all: usize,
    done: AtomicUsize,
    last: Mutex<Option<NodeName>>,
}

impl Answered {
    /// None of so many; zero: what is asked is no node.
    pub(crate) fn of(all: usize) -> Self {
        Self { all, done: AtomicUsize::new(0), last: Mutex::default() }
    }

    /// One more has.
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
