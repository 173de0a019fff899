//! Numbers that distinguish what one server creates from what another creates.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Returns a number that was not returned before. The first number is random, and the next ones count up from it.
pub(crate) fn number() -> u64 {
    static BEGIN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    BEGIN.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
}
