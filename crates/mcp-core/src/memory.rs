//! The memory that the calls of a process share for large data: files that are read as a whole, objects, outputs, and
//! the windows of decompressors. Each of these has a limit of its own, but many calls at once could multiply it.

use crate::Deadline;
use std::{
    fmt, io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The limit of the large data of all calls, in bytes. It does not apply to a call while no other call has large data,
/// because the limits of files and objects bound a single call.
const LIMIT: u64 = 1 << 30;

/// How often a waiting call checks whether its time is over.
const CHECKED_EVERY: Duration = Duration::from_millis(50);

/// The memory of all calls.
static SHARED: Mutex<SharedMemory> = Mutex::new(SharedMemory { used: 0, holders: 0, waiting: 0 });

/// Wakes the waiting calls when memory is returned.
static RETURNED: Condvar = Condvar::new();

/// The memory of all calls that have large data.
#[derive(Debug)]
struct SharedMemory {
    /// The bytes of the large data of all calls.
    used: u64,
    /// The number of calls that have large data.
    holders: usize,
    /// The number of calls that have large data and wait for more.
    waiting: usize,
}

/// The number of bytes of the large data of one call. Dropping it returns the memory.
#[derive(Debug, Default)]
pub(crate) struct CallMemory(Mutex<u64>);

/// Memory that is reserved for large data of a call. Dropping it returns the memory.
#[derive(Debug)]
pub(crate) struct Reserved {
    deadline: Deadline,
    bytes: u64,
}

/// The error of work that needs more memory than the running calls leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedMemory {
    /// Takes bytes for a call, unless the limit does not allow it.
    fn take(&mut self, bytes: u64, call: &CallMemory, is_bounded: bool) -> bool {
        let mut own = lock(&call.0);
        let is_alone = self.used <= *own;
        let all = self.used.saturating_add(bytes);
        if is_bounded && !is_alone && all > LIMIT {
            return false;
        }
        self.holders += usize::from(*own == 0 && bytes > 0);
        (self.used, *own) = (all, own.saturating_add(bytes));
        true
    }

    /// Takes back bytes of a call.
    fn put_back(&mut self, bytes: u64, own: &mut u64) {
        (self.used, *own) = (self.used.saturating_sub(bytes), own.saturating_sub(bytes));
        self.holders -= usize::from(*own == 0 && bytes > 0);
        RETURNED.notify_all();
    }
}

impl Reserved {
    /// Creates a reservation of no bytes for a call.
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline, bytes: 0 }
    }

    /// Reserves more bytes. If other calls leave too little memory, it waits until they return enough.
    ///
    /// # Errors
    ///
    /// Returns [`NoMemory`] if the call ends before there is enough memory, or if all calls that have large data wait
    /// for more. Work whose result is kept for other calls always gets its memory, because an error would be kept too.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), NoMemory> {
        if bytes == 0 {
            return Ok(());
        }
        let call = self.deadline.memory();
        let is_bounded = self.deadline.is_limited();
        let mut shared = lock(&SHARED);
        let is_holder = *lock(&call.0) > 0;
        shared.waiting += usize::from(is_holder);
        let got = loop {
            if shared.take(bytes, call, is_bounded) {
                break Ok(());
            }
            // If every call kept its memory and waited, none would go on.
            if self.deadline.is_over() || (is_holder && shared.waiting >= shared.holders) {
                break Err(NoMemory);
            }
            shared = RETURNED.wait_timeout(shared, CHECKED_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        };
        shared.waiting -= usize::from(is_holder);
        self.bytes += if got.is_ok() { bytes } else { 0 };
        got
    }

    /// Keeps the memory reserved until the call ends.
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&SHARED).put_back(self.bytes, &mut lock(&self.deadline.memory().0));
    }
}

impl Drop for CallMemory {
    fn drop(&mut self) {
        let own = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        lock(&SHARED).put_back(*own, own);
    }
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the calls that run now use the {} MiB of memory for large data, and did not return enough of it within the \
             time of this call; ask again when they have ended, or with a larger timeout_seconds",
            LIMIT >> 20
        )
    }
}

impl std::error::Error for NoMemory {}

impl From<NoMemory> for io::Error {
    fn from(no: NoMemory) -> Self {
        Self::new(io::ErrorKind::OutOfMemory, no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call whose time is over, so that it does not wait.
    fn late() -> Deadline {
        Deadline::within(Duration::ZERO)
    }

    fn held(call: &Deadline) -> u64 {
        *lock(&call.memory().0)
    }

    /// The tests share one memory, so they run in turn.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn calls_have_a_common_limit_and_return_their_memory() {
        let _turn = lock(&TURN);
        let (first, second) = (late(), late());
        let (mut large, mut other) = (first.reserve(), second.reserve());
        // Other tests of this process have large data too, so this test takes a quarter of the limit at most.
        large.grow(LIMIT / 4).unwrap();
        assert_eq!((other.grow(LIMIT), other.grow(u64::MAX)), (Err(NoMemory), Err(NoMemory)));
        assert_eq!((held(&first), held(&second)), (LIMIT / 4, 0));
        drop(large);
        other.grow(LIMIT / 4).unwrap();
        other.keep();
        assert_eq!((held(&first), held(&second)), (0, LIMIT / 4), "a call keeps its memory until it ends");
        assert_eq!(first.reserve().grow(LIMIT), Err(NoMemory));
        drop(second);
        first.reserve().grow(LIMIT / 4).unwrap();
    }

    #[test]
    fn a_call_waits_for_the_memory_of_another() {
        let _turn = lock(&TURN);
        let call = || Deadline::within(Duration::from_secs(300));
        let (first, second) = (call(), call());
        let mut large = first.reserve();
        large.grow(LIMIT).unwrap();
        let waiting = std::thread::spawn(move || second.reserve().grow(LIMIT / 2));
        std::thread::yield_now();
        assert!(!waiting.is_finished());
        drop(large);
        assert_eq!(waiting.join().unwrap(), Ok(()));
    }

    #[test]
    fn calls_that_wait_for_each_other_do_not_wait_forever() {
        let _turn = lock(&TURN);
        let ask = || {
            std::thread::spawn(|| {
                let mut own = Deadline::within(Duration::from_secs(300)).reserve();
                (own.grow(LIMIT / 2), own.grow(LIMIT / 2 + 1))
            })
        };
        let calls = [ask(), ask(), ask()].map(|call| call.join().unwrap());
        assert!(calls.iter().all(|(first, _)| first.is_ok()));
        assert!(calls.iter().any(|(_, more)| more.is_ok()), "{calls:?}");
    }

    #[test]
    fn work_for_all_calls_is_not_refused() {
        let _turn = lock(&TURN);
        let mut large = Deadline::within(Duration::from_secs(300)).reserve();
        large.grow(LIMIT).unwrap();
        Deadline::default().reserve().grow(LIMIT).unwrap();
        assert_eq!(late().reserve().grow(1), Err(NoMemory));
    }
}
