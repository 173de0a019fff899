//! The memory that the calls of a process share for large data: files that are read as a whole, objects, and the
//! windows of decompressors. Each of these has a limit of its own, but many calls at once could multiply it.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The limit of the large data of all calls, in bytes. It does not apply to a call while no other call has large data,
/// because the limits of files and objects bound a single call.
const LIMIT: u64 = 1 << 30;

/// The bytes of the large data of all calls.
static USED: AtomicU64 = AtomicU64::new(0);

/// The number of bytes of the large data of one call. Dropping it returns the memory.
#[derive(Debug, Default)]
pub(crate) struct CallMemory(AtomicU64);

/// Memory that is reserved for large data of a call. Dropping it returns the memory.
#[derive(Debug)]
pub(crate) struct Reserved {
    call: Arc<CallMemory>,
    bytes: u64,
}

/// The error of work that needs more memory than the running calls leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl Reserved {
    /// Creates a reservation of no bytes.
    pub(crate) fn new(call: Arc<CallMemory>) -> Self {
        Self { call, bytes: 0 }
    }

    /// Reserves more bytes.
    ///
    /// # Errors
    ///
    /// Returns [`NoMemory`] if other calls have large data, and all together would exceed the limit.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), NoMemory> {
        let own = self.call.0.load(Relaxed);
        let grown = |used: u64| used.checked_add(bytes).filter(|all| *all <= LIMIT || used <= own);
        USED.fetch_update(Relaxed, Relaxed, grown).map_err(|_| NoMemory)?;
        self.call.0.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        Ok(())
    }

    /// Keeps the memory reserved until the call ends.
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.call.0.fetch_sub(self.bytes, Relaxed);
        USED.fetch_sub(self.bytes, Relaxed);
    }
}

impl Drop for CallMemory {
    fn drop(&mut self) {
        USED.fetch_sub(*self.0.get_mut(), Relaxed);
    }
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the calls that run now have read {} MiB of large data, which is the limit; ask again when they have ended",
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

    #[test]
    fn calls_have_a_common_limit_and_return_their_memory() {
        // Other tests of this process have large data too, so this test takes a quarter of the limit at most.
        let calls = [Arc::new(CallMemory::default()), Arc::new(CallMemory::default())];
        let [mut large, mut other] = calls.clone().map(Reserved::new);
        let held = || calls.each_ref().map(|call| call.0.load(Relaxed));
        large.grow(LIMIT / 4).unwrap();
        assert_eq!((other.grow(LIMIT), other.grow(u64::MAX)), (Err(NoMemory), Err(NoMemory)));
        assert_eq!(held(), [LIMIT / 4, 0]);
        drop(large);
        other.grow(LIMIT / 4).unwrap();
        other.keep();
        assert_eq!(held(), [0, LIMIT / 4], "a call keeps its memory until it ends");
        let [first, second] = calls;
        assert_eq!(Reserved::new(first.clone()).grow(LIMIT), Err(NoMemory));
        drop(second);
        Reserved::new(first).grow(LIMIT / 4).unwrap();
    }
}
