//! A part of a file that can be read like a file of its own.

use super::meter::MeterGauge;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// A range of bytes of a file, with a read position. Several spans can read one file at the same time.
#[derive(Clone, Debug)]
pub(super) struct Span {
    file: Arc<File>,
    start: u64,
    /// The length in bytes.
    pub(super) len: u64,
    at: u64,
    gauge: Option<MeterGauge>,
}

impl Span {
    /// The whole file, with its length at this moment.
    pub(super) fn whole(file: Arc<File>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, start: 0, len, at: 0, gauge: None })
    }

    /// A range of a file.
    pub(super) fn of(file: Arc<File>, start: u64, len: u64) -> Self {
        Self { file, start, len, at: 0, gauge: None }
    }

    /// Returns the same span, which reports its progress to a meter.
    pub(super) fn metered(self, meter: &super::ReadMeter) -> Self {
        Self { gauge: Some(meter.gauge()), ..self }
    }

    /// A range of this span, cut at its end.
    pub(super) fn part(&self, start: u64, len: u64) -> Self {
        let start = start.min(self.len);
        Self::of(self.file.clone(), self.start + start, len.min(self.len - start))
    }
}

impl Read for Span {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(buffer) = buffer.get_mut(..want).filter(|b| !b.is_empty()) else { return Ok(0) };
        let n = self.file.read_at(buffer, self.start + self.at)?;
        self.at += n as u64;
        if let Some(gauge) = &self.gauge {
            gauge.at(self.start + self.at);
        }
        Ok(n)
    }
}

impl Seek for Span {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::other("the seek position is before the start"))?;
        Ok(self.at)
    }
}
