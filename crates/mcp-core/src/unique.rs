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

/// Returns 16 bytes from the kernel's random numbers, as 32 hexadecimal digits that nobody can guess.
pub(crate) fn secret() -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
