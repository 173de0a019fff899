//! The bytes of one point of a capture.

use jiff::Timestamp;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// The bytes that arrive from one point, in a temporary file without a name.
#[derive(Debug)]
pub struct CapturePart {
    name: String,
    file: File,
    /// The number of bytes that arrived and are kept.
    len: AtomicU64,
    limit: u64,
    is_full: AtomicBool,
    full: Notify,
    report: OnceLock<CaptureReport>,
}

/// How the capture of one point ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureReport {
    /// What the program wrote to standard error: tcpdump(8) reports there what it counted.
    pub said: String,
    /// Why the capture ended early, if it did.
    pub broken: Option<String>,
    /// When the server learnt that the capture had ended, by the server's clock.
    pub ended: Timestamp,
}

impl CapturePart {
    /// Creates an empty part, which keeps at most `limit` bytes.
    pub(crate) fn new(name: &str, limit: u64) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            file: tempfile::tempfile()?,
            len: AtomicU64::new(0),
            limit,
            is_full: AtomicBool::new(false),
            full: Notify::new(),
            report: OnceLock::new(),
        })
    }

    /// The name of the point: `eth0 of shop/web-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of bytes that arrived and are kept.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Returns true if no byte arrived.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns true if more bytes arrived than are kept.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Appends bytes up to the limit. Returns false if some did not fit. Only one source may write to a part.
    pub(crate) fn put(&self, bytes: &[u8]) -> io::Result<bool> {
        let len = self.len();
        let room = usize::try_from(self.limit.saturating_sub(len)).unwrap_or(usize::MAX);
        let fits = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.file.write_all_at(fits, len)?;
        self.len.store(len + fits.len() as u64, Ordering::Release);
        if fits.len() == bytes.len() {
            return Ok(true);
        }
        self.is_full.store(true, Ordering::Release);
        self.full.notify_one();
        Ok(false)
    }

    /// Waits until more bytes arrive than fit.
    pub(crate) async fn filled(&self) {
        while !self.is_full() {
            self.full.notified().await;
        }
    }

    /// How the capture of this point ended, or `None` if it has not ended or its call was cancelled.
    pub fn report(&self) -> Option<&CaptureReport> {
        self.report.get()
    }

    /// Records how the capture of this point ended. The first report counts.
    pub(crate) fn close(&self, report: CaptureReport) {
        _ = self.report.set(report);
    }

    /// Reads the bytes that have arrived so far.
    pub fn reader(&self) -> PartReader<'_> {
        PartReader { part: self, at: 0 }
    }
}

/// Reads a part from its beginning.
#[derive(Debug)]
pub struct PartReader<'a> {
    part: &'a CapturePart,
    at: u64,
}

impl Read for PartReader<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.part.len() - self.at).unwrap_or(usize::MAX);
        let wanted = to.len().min(left);
        let read = self.part.file.read_at(to.get_mut(..wanted).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
