//! What is packed with gzip, xz or zstd: an archive, or one database.

use super::{
    Unreadable,
    bound::Bounds,
    form::{Codec, Form, HEAD, of_head},
    index::{Content, Entry, Index},
    span::Span,
    tape,
    zstd::Frames,
};
use crate::deadline::Timed;
use std::{
    io::{self, BufReader, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Reads it once, from front to end.
pub(super) fn list(
    packed: &Span,
    codec: Codec,
    name: &str,
    prefix: &str,
    index: &mut Index,
) -> io::Result<()> {
    let mut stream = Guarded::new(packed.clone(), codec, index.bounds())?;
    let mut head = Vec::new();
    (&mut stream).take(HEAD as u64).read_to_end(&mut head)?;
    let form = of_head(&head).map_err(io::Error::other)?;
    let all = Cursor::new(head).chain(stream);
    match form {
        Form::Tar => {
            let anew = |member| Content::Packed { archive: packed.clone(), codec, member };
            tape::list_stream(all, prefix, index, &anew)
        }
        Form::Database => {
            let name = name.rsplit('/').next().unwrap_or(name);
            let name = [".gz", ".xz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let limit = index.bounds().file;
            let (span, whole) = index.spool.keep(all, limit)?;
            let size = if whole.is_ok() { span.len } else { u64::MAX };
            index.insert(prefix, name, Entry { modified: None, size, content: Content::Span(span) })?;
            whole
        }
        Form::Zip | Form::Compressed(_) => Err(io::Error::other("it is packed twice: unpack it once")),
    }
}

/// Unpacks an archive up to one of its members, and hands that to `read`.
pub(super) fn member<T>(
    packed: &Span,
    codec: Codec,
    member: usize,
    bounds: Bounds,
    read: &mut dyn FnMut(&mut dyn Read) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    let mut tar = tar::Archive::new(Timed::new(Guarded::new(packed.clone(), codec, bounds)?));
    match tar.entries()?.nth(member) {
        Some(entry) => read(&mut entry?),
        None => Err(Unreadable::NoFile),
    }
}

/// A decompressor that stops when far more comes out than a collection of text would give.
struct Guarded {
    stream: Box<dyn Read>,
    taken: Arc<AtomicU64>,
    given: u64,
    bounds: Bounds,
}

impl Guarded {
    fn new(packed: Span, codec: Codec, bounds: Bounds) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let packed = BufReader::with_capacity(1 << 16, Counted { packed, taken: taken.clone() });
        let stream: Box<dyn Read> = match codec {
            Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Codec::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(packed)),
            Codec::Zstd => Box::new(Frames::new(packed)),
        };
        Ok(Self { stream, taken, given: 0, bounds })
    }
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer).map_err(in_words)?;
        self.given += n as u64;
        let Bounds { unpacked, ratio, ratio_from, .. } = self.bounds;
        let allowed = self.taken.load(Ordering::Relaxed).saturating_mul(ratio).max(ratio_from).min(unpacked);
        if self.given > allowed {
            return Err(io::Error::other(format!(
                "it unpacks to more than {unpacked} bytes, or {ratio} times its size, as nothing collected does"
            )));
        }
        Ok(n)
    }
}

/// Counts what a decompressor takes.
struct Counted {
    packed: Span,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.packed.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// An end that comes too early, in the same words for each of them.
fn in_words(e: io::Error) -> io::Error {
    let text = crate::error::chain(&e);
    let early = e.kind() == io::ErrorKind::UnexpectedEof
        || ["premature eof", "unexpected end", "failed to fill whole buffer"]
            .iter()
            .any(|early| text.contains(early));
    if early { io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut") } else { e }
}
