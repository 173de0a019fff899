//! Compares the answer to every case file of this layer with its snapshot.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs::{self, File},
    path::Path,
    sync::Once,
    time::{Duration, SystemTime},
};

/// The time of the files of the scenarios, in seconds since 1970: 2026-11-29. The answers show it, and a checkout would
/// set another one.
const RECORDED: Duration = Duration::from_secs(1_795_910_400);

static TIMES: Once = Once::new();

fn set_times(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            set_times(&entry.path());
        } else {
            File::open(entry.path()).unwrap().set_modified(SystemTime::UNIX_EPOCH + RECORDED).unwrap();
        }
    }
}

fn case(path: &Path) -> datatest_stable::Result<()> {
    TIMES.call_once(|| {
        for folder in ["capture-files", "captured-events"] {
            set_times(&mcp_testing::testdata().join(folder));
        }
    });
    mcp_testing::golden(mcp_capture::layer(), path)
}

datatest_stable::harness! {
    { test = case, root = "tests/cases", pattern = r"\.json$" },
}
