//! A part of a file, as a file of its own.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// Some bytes of a file, with a place in them. Several can read one file at once.
#[derive(Clone, Debug)]
pub(super) struct Span {
    file: Arc<File>,
    start: u64,
    /// How many bytes.
    pub(super) len: u64,
    at: u64,
}

impl Span {
    /// The whole file, as long as it is now.
    pub(super) fn whole(file: Arc<File>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, start: 0, len, at: 0 })
    }

    /// A part of a file.
    pub(super) fn of(file: Arc<File>, start: u64, len: u64) -> Self {
        Self { file, start, len, at: 0 }
    }

    /// A part of this part: what there is of it.
    pub(super) fn part(&self, start: u64, len: u64) -> Self {
        let start = start.min(self.len);
        Self { file: self.file.clone(), start: self.start + start, len: len.min(self.len - start), at: 0 }
    }
}

impl Read for Span {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(buffer) = buffer.get_mut(..want).filter(|b| !b.is_empty()) else { return Ok(0) };
        let n = self.file.read_at(buffer, self.start + self.at)?;
        self.at += n as u64;
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
        self.at = at.ok_or_else(|| io::Error::other("a seek before the start"))?;
        Ok(self.at)
    }
}
