//! Stores the wanted members of compressed archives.

use super::span::Span;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// A temporary file without a name, created when it is first needed.
///
/// The kernel frees the file when the process ends in any way, so nothing remains to clean up, and no other process can
/// open it. The file is in `TMPDIR`, or in `/tmp` by default.
#[derive(Debug)]
pub(super) struct Spool {
    file: Option<Arc<File>>,
    len: u64,
    limit: u64,
}

impl Spool {
    /// Creates an empty store that holds at most `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { file: None, len: 0, limit }
    }

    /// Copies a reader to its end. If reading fails on the way, the bytes so far are kept, and the second part of the
    /// result is the error.
    ///
    /// # Errors
    /// Returns an error if the temporary file cannot be written, or has no room.
    pub(super) fn keep(&mut self, mut from: impl Read, limit: u64) -> io::Result<(Span, io::Result<()>)> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.file.insert(Arc::new(tempfile::tempfile().map_err(temporary)?)).clone(),
        };
        let start = self.len;
        let mut buffer = vec![0; 1 << 16];
        let whole = loop {
            let n = match from.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => break Err(e),
            };
            if self.len - start + n as u64 > limit {
                break Err(io::Error::other(format!("the file has more than {limit} bytes")));
            }
            if self.len + n as u64 > self.limit {
                return Err(io::Error::other(format!(
                    "the files to keep need more than {} bytes",
                    self.limit
                )));
            }
            file.write_all_at(buffer.get(..n).unwrap_or_default(), self.len).map_err(temporary)?;
            self.len += n as u64;
        };
        Ok((Span::of(file, start, self.len - start), whole))
    }
}

fn temporary(e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("the temporary file in {}: {e}", std::env::temp_dir().display()))
}
