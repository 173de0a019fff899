//! Where the wanted members of compressed archives are kept.

use super::span::Span;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// One temporary file without a name, made when first needed.
///
/// The kernel frees it with the process, whether that returns, is terminated or is killed: nothing is left to clean
/// up, and nobody else can open it. It lies where `TMPDIR` says, else in `/tmp`.
#[derive(Debug)]
pub(super) struct Spool {
    file: Option<Arc<File>>,
    len: u64,
    limit: u64,
}

impl Spool {
    /// Nothing yet, and never more than so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { file: None, len: 0, limit }
    }

    /// Copies to the end. If that fails on the way, what came before is kept: the second part says why.
    ///
    /// # Errors
    /// When there is no temporary file to write to, or no room in it.
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
                break Err(io::Error::other(format!("it has more than {limit} bytes")));
            }
            if self.len + n as u64 > self.limit {
                return Err(io::Error::other(format!(
                    "what is kept would take more than {} bytes",
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
