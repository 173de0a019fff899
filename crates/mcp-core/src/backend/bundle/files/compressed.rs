//! Reads files that are compressed with gzip, xz or zstd: an archive, one database, or one capture.

use super::{
    FileError,
    bound::Bounds,
    form::{Codec, FileFormat, HEAD, of_head},
    index::{Content, Entry, FileIndex},
    span::Span,
    tape,
    zstd::ZstdReader,
};
use crate::deadline::Timed;
use std::{
    io::{self, BufReader, Cursor, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Reads the file once, from beginning to end, and lists its contents.
pub(super) fn list(
    packed: &Span,
    codec: Codec,
    name: &str,
    prefix: &str,
    index: &mut FileIndex,
) -> io::Result<()> {
    let mut stream = BoundedDecoder::new(packed.clone(), codec, index.bounds())?;
    let mut head = Vec::new();
    (&mut stream).take(HEAD as u64).read_to_end(&mut head)?;
    let form = of_head(&head).map_err(io::Error::other)?;
    let all = Cursor::new(head).chain(stream);
    match form {
        FileFormat::Tar => {
            let anew = |member| Content::Packed { archive: packed.clone(), codec, member };
            tape::list_stream(all, prefix, index, &anew)
        }
        FileFormat::Database | FileFormat::Capture => {
            let name = name.rsplit('/').next().unwrap_or(name);
            let name = [".gz", ".xz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let limit = index.bounds().file;
            let (span, whole) = index.spool.keep(all, limit)?;
            let size = if whole.is_ok() { span.len } else { u64::MAX };
            index.insert(prefix, name, Entry { modified: None, size, content: Content::Span(span) })?;
            whole
        }
        FileFormat::Zip | FileFormat::Compressed(_) => {
            Err(io::Error::other("the file is compressed twice; decompress it once"))
        }
    }
}

/// Decompresses an archive up to one of its members, and passes that member to `read`.
pub(super) fn member<T>(
    packed: &Span,
    codec: Codec,
    member: usize,
    bounds: Bounds,
    read: &mut dyn FnMut(&mut dyn Read) -> Result<T, FileError>,
) -> Result<T, FileError> {
    let mut tar = tar::Archive::new(Timed::new(BoundedDecoder::new(packed.clone(), codec, bounds)?));
    match tar.entries()?.nth(member) {
        Some(entry) => read(&mut entry?),
        None => Err(FileError::NoFile),
    }
}

/// Returns the content of a file, decompressed if it is compressed with gzip, xz or zstd.
pub(super) fn plain<'a>(content: &'a mut dyn Read, bounds: Bounds) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    (&mut *content).take(HEAD as u64).read_to_end(&mut head)?;
    let form = of_head(&head);
    let all = Cursor::new(head).chain(content);
    Ok(match form {
        Ok(FileFormat::Compressed(codec)) => Box::new(BoundedDecoder::new(all, codec, bounds)?),
        _ => Box::new(all),
    })
}

/// A decompressor that stops when its output is far larger than a collection of text can be.
struct BoundedDecoder<'a> {
    stream: Box<dyn Read + 'a>,
    taken: Arc<AtomicU64>,
    given: u64,
    bounds: Bounds,
}

impl<'a> BoundedDecoder<'a> {
    fn new(packed: impl Read + 'a, codec: Codec, bounds: Bounds) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let packed = BufReader::with_capacity(1 << 16, CountingReader { packed, taken: taken.clone() });
        let stream: Box<dyn Read + 'a> = match codec {
            Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Codec::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(packed)),
            Codec::Zstd => Box::new(ZstdReader::new(packed)),
        };
        Ok(Self { stream, taken, given: 0, bounds })
    }
}

impl Read for BoundedDecoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer).map_err(in_words)?;
        self.given += n as u64;
        let Bounds { unpacked, ratio, ratio_from, .. } = self.bounds;
        let allowed = self.taken.load(Ordering::Relaxed).saturating_mul(ratio).max(ratio_from).min(unpacked);
        if self.given > allowed {
            return Err(io::Error::other(format!(
                "it decompresses to more than {unpacked} bytes or {ratio} times its size, which no real bundle does"
            )));
        }
        Ok(n)
    }
}

/// Counts the bytes that a decompressor reads.
struct CountingReader<R> {
    packed: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.packed.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Replaces the various messages for an unexpected end by one message.
fn in_words(e: io::Error) -> io::Error {
    let text = crate::error::chain(&e);
    let early = e.kind() == io::ErrorKind::UnexpectedEof
        || ["premature eof", "unexpected end", "failed to fill whole buffer"]
            .iter()
            .any(|early| text.contains(early));
    if early { io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut") } else { e }
}
