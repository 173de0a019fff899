//! A source of bytes, read in pieces.

use std::io::{self, Read};

/// The number of bytes that a buffer asks for at once.
const CHUNK: usize = 64 << 10;

/// Bytes of a source. It grows to the longest piece that a caller asks for.
#[derive(Debug)]
pub(super) struct Buffer<R> {
    source: R,
    bytes: Vec<u8>,
    /// Where the bytes begin that no caller took.
    start: usize,
    /// Where the bytes end that the source gave.
    end: usize,
    /// The length of the piece that a caller took last. It ends at `start`.
    last: usize,
    /// The number of bytes that callers took or skipped.
    taken: u64,
    ended: bool,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, bytes: Vec::new(), start: 0, end: 0, last: 0, taken: 0, ended: false }
    }

    /// Returns the next `length` bytes without taking them, or fewer if the source ends.
    pub(super) fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.end - self.start < length && !self.ended {
            self.refill(length)?;
        }
        let end = self.end.min(self.start + length);
        Ok(self.bytes.get(self.start..end).unwrap_or_default())
    }

    /// Takes the next `length` bytes, which a caller peeked at. [`Self::last`] returns them until the next call.
    pub(super) fn take(&mut self, length: usize) {
        self.last = length.min(self.end - self.start);
        self.start += self.last;
        self.taken += self.last as u64;
    }

    /// Returns the piece that was taken last.
    pub(super) fn last(&self) -> &[u8] {
        self.bytes.get(self.start - self.last..self.start).unwrap_or_default()
    }

    /// Skips bytes without keeping them, and returns how many the source had.
    pub(super) fn skip(&mut self, length: u64) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let piece = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let piece = self.peek(piece)?.len();
            if piece == 0 {
                break;
            }
            self.take(piece);
            left -= piece as u64;
        }
        Ok(length - left)
    }

    /// Returns the number of bytes that callers took.
    pub(super) fn offset(&self) -> u64 {
        self.taken
    }

    fn refill(&mut self, wanted: usize) -> io::Result<()> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end, self.last) = (0, self.end - self.start, 0);
        let length = self.bytes.len().max(wanted.next_multiple_of(CHUNK));
        self.bytes.resize(length, 0);
        let space = self.bytes.get_mut(self.end..).unwrap_or_default();
        match self.source.read(space) {
            Ok(0) => self.ended = true,
            Ok(more) => self.end = (self.end + more).min(self.bytes.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
