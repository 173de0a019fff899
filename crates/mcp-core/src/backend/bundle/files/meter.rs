//! How much of the archives was read to open them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Bytes of all archives of a cluster, read and in all. A directory is listed in no time and does not count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<Bytes>);

#[derive(Debug, Default)]
struct Bytes {
    read: AtomicU64,
    all: AtomicU64,
    /// Of the archives that were opened before this one.
    before: AtomicU64,
}

/// Tells a meter how far one archive was read.
#[derive(Clone, Debug)]
pub(super) struct Gauge {
    bytes: Arc<Bytes>,
    before: u64,
}

impl Meter {
    /// Begins with these archives.
    pub(crate) fn begin(&self, paths: &[PathBuf]) {
        let file = |path: &PathBuf| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        self.0.all.store(paths.iter().filter_map(file).map(|m| m.len()).sum(), Relaxed);
        self.0.before.store(0, Relaxed);
        self.0.read.store(0, Relaxed);
    }

    /// Bytes read, and bytes in all.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.0.read.load(Relaxed), self.0.all.load(Relaxed))
    }

    pub(super) fn gauge(&self) -> Gauge {
        Gauge { bytes: self.0.clone(), before: self.0.before.load(Relaxed) }
    }

    /// An archive of so many bytes is open.
    pub(super) fn passed(&self, len: u64) {
        let before = self.0.before.fetch_add(len, Relaxed) + len;
        self.0.read.fetch_max(before, Relaxed);
    }
}

impl Gauge {
    /// So far, from the beginning of the archive.
    pub(super) fn at(&self, at: u64) {
        self.bytes.read.fetch_max(self.before + at, Relaxed);
    }
}
