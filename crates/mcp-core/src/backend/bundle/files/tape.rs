//! Reads tar archives, plain or decompressed as a stream.

use super::{
    index::{Content, Entry, FileIndex, Retention},
    span::Span,
};
use jiff::Timestamp;
use std::io::{self, Read};
use tar::{Archive, EntryType};

/// Lists the members of a plain archive with their positions, without reading them.
pub(super) fn list(archive: &Span, prefix: &str, index: &mut FileIndex) -> io::Result<()> {
    let mut tar = Archive::new(archive.clone());
    for entry in tar.entries_with_seek().map_err(plain)? {
        let mut entry = entry.map_err(plain)?;
        let (start, size) = (entry.raw_file_position(), entry.size());
        let sparse = entry.header().entry_type() == EntryType::GNUSparse;
        add(&mut entry, prefix, index, |entry, path, index| {
            // The bytes of a sparse member are not contiguous.
            if sparse {
                keep(entry, path, index, || Content::LeftOut("the file is too large to keep"))
            } else {
                Ok((Content::Span(archive.part(start, size)), Ok(())))
            }
        })?;
        if !sparse && start + size > archive.len {
            return Err(cut(start + size - archive.len));
        }
    }
    Ok(())
}

/// Reads an archive from beginning to end, and keeps the files that layers ask for. `anew` returns the content of a
/// member that will be read again later, by its index in the archive.
pub(super) fn list_stream(
    stream: impl Read,
    prefix: &str,
    index: &mut FileIndex,
    anew: &dyn Fn(usize) -> Content,
) -> io::Result<()> {
    let mut tar = Archive::new(stream);
    for (member, entry) in tar.entries().map_err(plain)?.enumerate() {
        let mut entry = entry.map_err(plain)?;
        add(&mut entry, prefix, index, |entry, path, index| keep(entry, path, index, || anew(member)))?;
    }
    // The stream is read to its very end, because the checksum is there.
    let mut rest = tar.into_inner();
    io::copy(&mut rest, &mut io::sink()).map(drop)
}

type MemberContent = io::Result<(Content, io::Result<()>)>;

/// Adds a member. `bytes` returns the content of a file, and an error if it is incomplete.
fn add<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    prefix: &str,
    index: &mut FileIndex,
    bytes: impl FnOnce(&mut tar::Entry<'_, R>, &str, &mut FileIndex) -> MemberContent,
) -> io::Result<()> {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let target = || Some(String::from_utf8_lossy(&entry.link_name_bytes()?).into_owned());
    let (kind, size) = (entry.header().entry_type(), entry.size());
    let modified = entry.header().mtime().ok();
    let modified = modified.and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok());
    let (content, whole) = match kind {
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
        EntryType::Symlink => {
            (target().map_or(Content::LeftOut("the path is a link without a target"), Content::Link), Ok(()))
        }
        // A hard link is a second name of an earlier member, relative to the top of the archive.
        EntryType::Link => (
            target().map_or(Content::LeftOut("the path is a link without a target"), |to| {
                let up = "../".repeat(path.trim_start_matches("./").matches('/').count());
                Content::Link(format!("{up}{}", to.trim_start_matches('/')))
            }),
            Ok(()),
        ),
        kind if kind.is_file() || kind == EntryType::GNUSparse => bytes(entry, &path, index)?,
        _ => {
            index.count("left out (device, pipe or similar)", &path);
            (Content::LeftOut("the path is a device, pipe or similar"), Ok(()))
        }
    };
    index.insert(prefix, &path, Entry { modified, size, content })?;
    whole
}

/// Copies a member that a layer may ask for. A log for which there is no room will be read `anew`.
fn keep<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &str,
    index: &mut FileIndex,
    anew: impl FnOnce() -> Content,
) -> MemberContent {
    let bounds = index.bounds();
    // A sparse member can be large in a small archive. No collection contains useful ones.
    let sparse = entry.header().entry_type() == EntryType::GNUSparse;
    let limit = if sparse { bounds.small_file } else { bounds.file };
    match index.wants(path) {
        Retention::Listed => return Ok((anew(), Ok(()))),
        Retention::Log if sparse || !index.room_for_log(entry.size()) => return Ok((anew(), Ok(()))),
        Retention::Log | Retention::Kept => {}
    }
    if entry.size() > limit {
        index.count("left out (too large to keep)", path);
        return Ok((Content::LeftOut("the file is too large to keep"), Ok(())));
    }
    match index.spool.keep(entry, limit) {
        Ok((span, whole)) => Ok((Content::Span(span), whole)),
        Err(e) => {
            index.full(&e, path);
            Ok((Content::LeftOut("the file could not be kept in the temporary file"), Ok(())))
        }
    }
}

fn cut(missing: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("the archive is cut: at least {missing} bytes are missing"),
    )
}

/// Replaces the library's message for an archive that ends early, which describes its buffers.
fn plain(e: io::Error) -> io::Error {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(e.kind(), "the archive is cut"),
        _ if e.to_string().contains("failed to read entire block") => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut")
        }
        _ => e,
    }
}
