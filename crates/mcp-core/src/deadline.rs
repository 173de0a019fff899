//! When the work of a call must stop, and the thread that a call runs on.
//!
//! A call computes on a thread of its own, never on those that serve: a line that is slow to match or a file that is slow to
//! read cannot keep a signal, a timer or another call waiting. The thread is not waited for longer than the call may take. What
//! computes for long looks at the [`Deadline`] of its call as it goes, and stops.

use std::{
    fmt, io,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    /// Of the call whose work this is. It is not handed from function to function: every reader of every source obeys it,
    /// and none decides anything else by it.
    static CURRENT: Deadline;
}

/// The end of a call: its time is over, or nobody waits for its answer any more.
#[derive(Clone, Debug, Default)]
pub struct Deadline {
    cancelled: CancellationToken,
    /// None: it has all the time that there is.
    at: Option<Instant>,
}

/// The work stopped before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over;

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time of the call is over")
    }
}

impl std::error::Error for Over {}

impl From<Over> for io::Error {
    fn from(over: Over) -> Self {
        Self::new(io::ErrorKind::TimedOut, over)
    }
}

impl Deadline {
    /// Of a call that may take so long from now on.
    pub(crate) fn within(time: Duration) -> Self {
        Self { cancelled: CancellationToken::new(), at: Some(Instant::now() + time) }
    }

    /// That of the call whose work this is. Outside of calls there is none, and work goes on to its end.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Must the work stop?
    pub fn is_over(&self) -> bool {
        self.cancelled.is_cancelled() || self.at.is_some_and(|at| Instant::now() >= at)
    }

    /// As [`Self::is_over`], for what ends with an error.
    ///
    /// # Errors
    /// [`Over`]: the work must stop.
    pub fn check(&self) -> Result<(), Over> {
        if self.is_over() { Err(Over) } else { Ok(()) }
    }

    /// What is left of the call's time.
    pub(crate) fn left(&self) -> Duration {
        self.at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Does blocking work as a part of this call.
    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// Does work whose result is kept for other calls: it is not this call's time that bounds it.
    pub(crate) fn without<T>(work: impl FnOnce() -> T) -> T {
        Self::default().during(work)
    }

    /// Runs a call on a thread of its own, for at most `grace` longer than its time: then, and when this future is dropped,
    /// the call is dropped with all that it waits for, and what it computes is told to stop. `work` makes the future, on that
    /// thread.
    ///
    /// # Errors
    /// [`Over`]: the call was not done in time.
    pub(crate) async fn run<T, F>(
        self,
        grace: Duration,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T, Over>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let _dropped = self.cancelled.clone().drop_guard();
        let (left, runtime) = (self.left(), tokio::runtime::Handle::current());
        let call = tokio::task::spawn_blocking(move || {
            let cancelled = self.cancelled.clone();
            runtime.block_on(CURRENT.scope(self, async {
                tokio::select! {
                    biased;
                    () = cancelled.cancelled() => Err(Over),
                    answer = work() => Ok(answer),
                }
            }))
        });
        match tokio::time::timeout(left.saturating_add(grace), call).await {
            Ok(Ok(answer)) => answer,
            // A call that panics is a fault of ours: as if it had happened here.
            Ok(Err(e)) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Over),
            },
            Err(_) => Err(Over),
        }
    }
}

/// A file or a decompressor that gives no more bytes when the call is over.
pub(crate) struct Timed<R> {
    from: R,
    deadline: Deadline,
}

impl<R: io::Read> Timed<R> {
    /// Read for the call whose work this is.
    pub(crate) fn new(from: R) -> Self {
        Self { from, deadline: Deadline::current() }
    }
}

impl<R: io::Read> io::Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// In bytes: what is read at once, without looking at the time.
        const PIECE: usize = 1 << 20;
        self.deadline.check()?;
        let end = buffer.len().min(PIECE);
        self.from.read(buffer.get_mut(..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        },
    };

    const GRACE: Duration = Duration::from_millis(50);

    /// Tells that it was dropped.
    struct Told(Arc<AtomicBool>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }

    #[tokio::test]
    async fn what_computes_without_end_keeps_neither_its_caller_nor_others_waiting() {
        // One thread serves here: it would be stuck if the call computed on it.
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Told(stopped.clone());
        let endless = move || async move {
            let _told = told;
            while !Deadline::current().is_over() {
                std::thread::yield_now();
            }
        };
        let call = tokio::spawn(Deadline::within(Duration::from_secs(300)).run(GRACE, endless));
        let other = Deadline::within(Duration::from_secs(300)).run(GRACE, || async { 7 });
        assert_eq!(other.await, Ok(7), "another call is answered meanwhile");
        assert!(!call.is_finished() && !stopped.load(SeqCst));
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        while !stopped.load(SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_looks_at_nothing_is_not_waited_for() {
        let (go, stuck) = std::sync::mpsc::channel::<()>();
        let call = Deadline::within(Duration::ZERO).run(GRACE, move || async move { stuck.recv().is_ok() });
        assert_eq!(call.await, Err(Over));
        drop(go);
    }

    #[tokio::test]
    async fn a_call_that_waits_is_dropped_with_what_it_waits_for() {
        let dropped = Arc::new(AtomicBool::new(false));
        let told = Told(dropped.clone());
        let waits = move || async move {
            let _told = told;
            std::future::pending::<()>().await;
        };
        assert_eq!(Deadline::within(Duration::ZERO).run(GRACE, waits).await, Err(Over));
        while !dropped.load(SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn readers_stop_when_their_call_does() {
        let read = AtomicUsize::new(0);
        let mut bytes = Vec::new();
        let deadline = Deadline::within(Duration::from_secs(300));
        let cancel = deadline.cancelled.clone();
        /// Endless zeros, which end their call after some.
        struct Zeros<'a>(&'a AtomicUsize, CancellationToken);
        impl Read for Zeros<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0.fetch_add(1, SeqCst) == 2 {
                    self.1.cancel();
                }
                buffer.fill(0);
                Ok(buffer.len())
            }
        }
        let error = deadline.during(|| Timed::new(Zeros(&read, cancel)).read_to_end(&mut bytes)).unwrap_err();
        assert_eq!((error.kind(), read.into_inner()), (io::ErrorKind::TimedOut, 3));
        assert!(bytes.len() <= 3 << 20, "{}", bytes.len());
        assert!(!Deadline::current().is_over(), "outside of a call nothing is over");
    }
}
