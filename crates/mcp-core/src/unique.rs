//! Numbers by which what one server makes is told from what another makes.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A number that was not given before: random to begin with, and counted from there.
pub(crate) fn number() -> u64 {
    static BEGIN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    BEGIN.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
}
