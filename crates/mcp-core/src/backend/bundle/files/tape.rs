//! Tar archives, plain or as they come out of a decompressor.

use super::{
    index::{Content, Entry, Index, Want},
    span::Span,
};
use jiff::Timestamp;
use std::io::{self, Read};
use tar::{Archive, EntryType};

/// Notes where each member of a plain archive lies, without reading it.
pub(super) fn list(archive: &Span, prefix: &str, index: &mut Index) -> io::Result<()> {
    let mut tar = Archive::new(archive.clone());
    for entry in tar.entries_with_seek().map_err(plain)? {
        let mut entry = entry.map_err(plain)?;
        let (start, size) = (entry.raw_file_position(), entry.size());
        let sparse = entry.header().entry_type() == EntryType::GNUSparse;
        add(&mut entry, prefix, index, |entry, path, index| {
            // The bytes of a sparse member lie apart.
            if sparse {
                keep(entry, path, index, || Content::LeftOut("it is too large to be kept"))
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

/// Reads an archive from front to end, and keeps what layers ask for. `anew` says how a member is had later, by its
/// place in the archive.
pub(super) fn list_stream(
    stream: impl Read,
    prefix: &str,
    index: &mut Index,
    anew: &dyn Fn(usize) -> Content,
) -> io::Result<()> {
    let mut tar = Archive::new(stream);
    for (member, entry) in tar.entries().map_err(plain)?.enumerate() {
        let mut entry = entry.map_err(plain)?;
        add(&mut entry, prefix, index, |entry, path, index| keep(entry, path, index, || anew(member)))?;
    }
    // To the very end, since that is where the checksum is.
    let mut rest = tar.into_inner();
    io::copy(&mut rest, &mut io::sink()).map(drop)
}

type Kept = io::Result<(Content, io::Result<()>)>;

/// Adds a member. `bytes` says where the content of a file is, and whether all of it.
fn add<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    prefix: &str,
    index: &mut Index,
    bytes: impl FnOnce(&mut tar::Entry<'_, R>, &str, &mut Index) -> Kept,
) -> io::Result<()> {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let target = || Some(String::from_utf8_lossy(&entry.link_name_bytes()?).into_owned());
    let (kind, size) = (entry.header().entry_type(), entry.size());
    let modified = entry.header().mtime().ok();
    let modified = modified.and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok());
    let (content, whole) = match kind {
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
        EntryType::Symlink => {
            (target().map_or(Content::LeftOut("it is a link to nothing"), Content::Link), Ok(()))
        }
        // A second name of an earlier member, seen from the top of the archive.
        EntryType::Link => (
            target().map_or(Content::LeftOut("it is a link to nothing"), |to| {
                let up = "../".repeat(path.trim_start_matches("./").matches('/').count());
                Content::Link(format!("{up}{}", to.trim_start_matches('/')))
            }),
            Ok(()),
        ),
        kind if kind.is_file() || kind == EntryType::GNUSparse => bytes(entry, &path, index)?,
        _ => {
            index.count("is a device, pipe or the like and is not opened", &path);
            (Content::LeftOut("it is a device, pipe or the like"), Ok(()))
        }
    };
    index.insert(prefix, &path, Entry { modified, size, content })?;
    whole
}

/// Copies a member that a layer may ask for. A log for which there is no room is to be had `anew`.
fn keep<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &str,
    index: &mut Index,
    anew: impl FnOnce() -> Content,
) -> Kept {
    let bounds = index.bounds();
    // A sparse member can be large in an archive that is small. No collection has any of use.
    let sparse = entry.header().entry_type() == EntryType::GNUSparse;
    let limit = if sparse { bounds.small_file } else { bounds.file };
    match index.wants(path) {
        Want::Listed => return Ok((anew(), Ok(()))),
        Want::Log if sparse || !index.room_for_log(entry.size()) => return Ok((anew(), Ok(()))),
        Want::Log | Want::Kept => {}
    }
    if entry.size() > limit {
        index.count("is too large to be kept", path);
        return Ok((Content::LeftOut("it is too large to be kept"), Ok(())));
    }
    match index.spool.keep(entry, limit) {
        Ok((span, whole)) => Ok((Content::Span(span), whole)),
        Err(e) => {
            index.full(&e, path);
            Ok((Content::LeftOut("it could not be kept in the temporary file"), Ok(())))
        }
    }
}

fn cut(missing: u64) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("it is cut: at least {missing} bytes are missing"))
}

/// The library's own words for an archive that ends early are about its buffers.
fn plain(e: io::Error) -> io::Error {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(e.kind(), "it is cut"),
        _ if e.to_string().contains("failed to read entire block") => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut")
        }
        _ => e,
    }
}
