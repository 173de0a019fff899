//! The deadline of a call, and the thread that the call runs on.
//!
//! A call computes on a thread of its own and never on the threads that serve, so a line that is slow to match or a
//! file that is slow to read cannot delay a signal, a timer or another call. The server does not wait for the thread
//! longer than the call may take. Long computations check the [`Deadline`] of their call regularly and stop.

use crate::{
    ReadError,
    memory::{CallMemory, Reserved},
};
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    /// The deadline of the call that the current task works for. It is task-local and not a parameter, because every
    /// reader of every source obeys it and nothing else depends on it.
    static CURRENT: Deadline;
}

/// The end of a call: its time is over, or its caller is gone.
#[derive(Clone, Debug, Default)]
pub struct Deadline {
    cancelled: CancellationToken,
    /// The end of the call's time, or `None` if the time is not limited.
    at: Option<Instant>,
    /// The time limit of the call, which [`CallEnded`] names.
    limit: Duration,
    /// The memory of the call's large data.
    memory: Arc<CallMemory>,
    /// True if a reader without errors stopped early, so that the answer of the call is not whole.
    interrupted: Arc<AtomicBool>,
}

/// Returns true if the current call is over, so that a reader that cannot return an error must stop. The call then ends
/// with an error, whatever its tool answers.
pub fn must_stop() -> bool {
    let is_over = |deadline: &Deadline| {
        let over = deadline.is_over();
        if over {
            deadline.interrupted.store(true, Relaxed);
        }
        over
    };
    CURRENT.try_with(is_over).unwrap_or_default()
}

/// Returns the lines of a text, up to its end or until the current call is over. A call that is over ends with an
/// error, whatever its tool answers.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    /// The number of lines without a check.
    const UNCHECKED: usize = 16;
    let may_go_on = |(at, _): &(usize, &str)| at % UNCHECKED != 0 || !must_stop();
    text.lines().enumerate().take_while(may_go_on).map(|(_, line)| line)
}

/// The error of work that stopped because its call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnded {
    limit: Duration,
}

impl CallEnded {
    /// Returns the error of a read that this stopped. `what` did not finish.
    pub(crate) fn stopped(self, what: impl Into<String>) -> ReadError {
        ReadError::TooLate { what: what.into(), seconds: self.limit.as_secs() }
    }
}

impl fmt::Display for CallEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time limit of the call, {} s, has expired", self.limit.as_secs())
    }
}

impl std::error::Error for CallEnded {}

impl From<CallEnded> for io::Error {
    fn from(over: CallEnded) -> Self {
        Self::new(io::ErrorKind::TimedOut, over)
    }
}

impl Deadline {
    /// Returns the deadline of a call that may take `time` from now on.
    pub(crate) fn within(time: Duration) -> Self {
        Self { at: Some(Instant::now() + time), limit: time, ..Self::default() }
    }

    /// Returns the deadline of the current call. Outside of calls it returns a deadline that never ends.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Whether the work must stop.
    pub fn is_over(&self) -> bool {
        self.cancelled.is_cancelled() || self.at.is_some_and(|at| Instant::now() >= at)
    }

    /// Returns an error if [`Self::is_over`].
    ///
    /// # Errors
    ///
    /// Returns [`CallEnded`] if the work must stop.
    pub fn check(&self) -> Result<(), CallEnded> {
        if self.is_over() { Err(self.over()) } else { Ok(()) }
    }

    /// Returns an error if a reader stopped early because the call is over ([`must_stop`]).
    ///
    /// # Errors
    ///
    /// Returns [`CallEnded`] if the answer of the call may not be whole.
    pub(crate) fn check_whole(&self) -> Result<(), CallEnded> {
        if self.interrupted.load(Relaxed) { Err(self.over()) } else { Ok(()) }
    }

    /// Returns the error of work that this deadline stops.
    pub(crate) fn over(&self) -> CallEnded {
        CallEnded { limit: self.limit }
    }

    /// Returns a reservation of memory for large data of this call.
    pub(crate) fn reserve(&self) -> Reserved {
        Reserved::new(self.clone())
    }

    /// The memory of this call's large data.
    pub(crate) fn memory(&self) -> &CallMemory {
        &self.memory
    }

    /// Whether this is the deadline of a call, and not of work whose result is kept for other calls.
    pub(crate) fn is_limited(&self) -> bool {
        self.at.is_some()
    }

    /// Returns the rest of the call's time.
    pub(crate) fn left(&self) -> Duration {
        self.at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Runs blocking work as a part of this call.
    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// Runs work whose result is kept for other calls, so that the time of this call does not limit it.
    pub(crate) fn without<T>(work: impl FnOnce() -> T) -> T {
        Self::default().during(work)
    }

    /// Runs a call on a thread of its own for at most its time plus `grace`. After that, or when this future is
    /// dropped, the call is dropped with everything that it waits for, and its computations are told to stop. `work`
    /// creates the future on that thread.
    ///
    /// # Errors
    ///
    /// Returns [`CallEnded`] if the call did not end in time.
    pub(crate) async fn run<T, F>(
        self,
        grace: Duration,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T, CallEnded>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let _dropped = self.cancelled.clone().drop_guard();
        let over = self.over();
        let (left, runtime) = (self.left(), tokio::runtime::Handle::current());
        let call = tokio::task::spawn_blocking(move || {
            let cancelled = self.cancelled.clone();
            runtime.block_on(CURRENT.scope(self, async {
                tokio::select! {
                    biased;
                    () = cancelled.cancelled() => Err(over),
                    answer = work() => Ok(answer),
                }
            }))
        });
        match tokio::time::timeout(left.saturating_add(grace), call).await {
            Ok(Ok(answer)) => answer,
            // A panic of the call is a bug of the server, so it continues here.
            Ok(Err(e)) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(over),
            },
            Err(_) => Err(over),
        }
    }
}

/// A file or a decompressor that returns an error when its call is over.
pub(crate) struct Timed<R> {
    from: R,
    deadline: Deadline,
}

impl<R: io::Read> Timed<R> {
    /// Wraps a reader for the current call.
    pub(crate) fn new(from: R) -> Self {
        Self { from, deadline: Deadline::current() }
    }
}

impl<R: io::Read> io::Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// The number of bytes that are read without checking the time.
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
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
    };

    const GRACE: Duration = Duration::from_millis(50);

    /// A guard that records when it is dropped.
    struct DropFlag(Arc<AtomicBool>);

    impl Drop for DropFlag {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }

    #[tokio::test]
    async fn an_endless_computation_delays_neither_its_caller_nor_other_calls() {
        // The test runtime has one thread, which would be stuck if the call computed on it.
        let stopped = Arc::new(AtomicBool::new(false));
        let told = DropFlag(stopped.clone());
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
    async fn a_call_that_ignores_its_deadline_is_not_waited_for() {
        let (go, stuck) = std::sync::mpsc::channel::<()>();
        let call = Deadline::within(Duration::ZERO).run(GRACE, move || async move { stuck.recv().is_ok() });
        assert!(call.await.is_err());
        drop(go);
    }

    #[tokio::test]
    async fn a_waiting_call_is_dropped_with_what_it_waits_for() {
        let dropped = Arc::new(AtomicBool::new(false));
        let told = DropFlag(dropped.clone());
        let waits = move || async move {
            let _told = told;
            std::future::pending::<()>().await;
        };
        assert!(Deadline::within(Duration::ZERO).run(GRACE, waits).await.is_err());
        while !dropped.load(SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_reader_without_errors_stops_and_the_answer_of_its_call_is_not_used() {
        let text = "a\n".repeat(100);
        let deadline = Deadline::within(Duration::from_secs(300));
        let (read, cancel) = (|| lines(&text).count(), deadline.cancelled.clone());
        assert_eq!((read(), deadline.clone().during(read)), (100, 100));
        assert_eq!(deadline.check_whole(), Ok(()));
        cancel.cancel();
        assert_eq!(deadline.check_whole(), Ok(()), "everything was read");
        assert_eq!(deadline.clone().during(read), 0);
        assert_eq!(deadline.check_whole(), Err(deadline.over()));
    }

    #[test]
    fn readers_stop_when_their_call_ends() {
        let read = AtomicUsize::new(0);
        let mut bytes = Vec::new();
        let deadline = Deadline::within(Duration::from_secs(300));
        let cancel = deadline.cancelled.clone();
        /// A reader of endless zeros that cancels its call after some reads.
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
        assert!(!Deadline::current().is_over(), "there is no deadline outside of a call");
    }
}
