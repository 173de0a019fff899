//! Measures how much of the archives was read to open them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The bytes of all archives of a cluster: bytes read, and bytes in total. Directories do not count, because listing
/// them takes no time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadMeter(Arc<MeterBytes>);

#[derive(Debug, Default)]
struct MeterBytes {
    read: AtomicU64,
    all: AtomicU64,
    /// The bytes of the archives that were opened before this one.
    before: AtomicU64,
}

/// Reports to a meter how far one archive was read.
#[derive(Clone, Debug)]
pub(super) struct MeterGauge {
    bytes: Arc<MeterBytes>,
    before: u64,
}

impl ReadMeter {
    /// Starts to measure these archives.
    pub(crate) fn begin(&self, paths: &[PathBuf]) {
        let file = |path: &PathBuf| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        self.0.all.store(paths.iter().filter_map(file).map(|m| m.len()).sum(), Relaxed);
        self.0.before.store(0, Relaxed);
        self.0.read.store(0, Relaxed);
    }

    /// Returns the bytes read and the total bytes.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.0.read.load(Relaxed), self.0.all.load(Relaxed))
    }

    pub(super) fn gauge(&self) -> MeterGauge {
        MeterGauge { bytes: self.0.clone(), before: self.0.before.load(Relaxed) }
    }

    /// Records that an archive of this length is open.
    pub(super) fn passed(&self, len: u64) {
        let before = self.0.before.fetch_add(len, Relaxed) + len;
        self.0.read.fetch_max(before, Relaxed);
    }
}

impl MeterGauge {
    /// Records a position, counted from the beginning of the archive.
    pub(super) fn at(&self, at: u64) {
        self.bytes.read.fetch_max(self.before + at, Relaxed);
    }
}
