//! The files of one bundle, in a directory or an archive of any format.
//!
//! A bundle is listed once, from beginning to end, and nothing is written next to it:
//!
//! * A directory is opened as a capability, and files are read on demand.
//! * For a plain `.tar` or a `.zip`, the position of each member is noted, and members are read on demand.
//! * For a compressed archive, the files that layers may ask for ([`wanted`]) are copied into one temporary file
//!   without a name ([`Spool`]), which disappears with the process, however the process ends. Logs are copied too, up
//!   to a limit. Logs beyond the limit and all other files are decompressed again when they are needed.
//!
//! Only names, positions and times are held in memory.

mod bound;
mod compressed;
mod directory;
mod form;
mod index;
mod link;
mod meter;
mod span;
mod spool;
mod stream;
mod tape;
#[cfg(test)]
mod tests;
mod zipped;
mod zstd;

use crate::{
    Deadline,
    backend::ReadError,
    memory::{NoMemory, Reserved},
};
use cap_std::fs::Dir;
use index::{Content, FileIndex};
use jiff::Timestamp;
use span::Span;
use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use zip::ZipArchive;

pub(super) use bound::Bounds;
pub(super) use link::LinkError;
pub(super) use meter::ReadMeter;

/// The files of one bundle, by their path in the bundle.
pub(super) struct Files {
    /// The name of the bundle in answers, which is the last component of its path.
    pub(super) name: String,
    index: FileIndex,
    bounds: Bounds,
    root: Option<Dir>,
    zips: Vec<Mutex<ZipArchive<Span>>>,
    /// Notes about archives that end early. Missing data may have been in the rest, so every answer repeats them.
    pub(super) unfinished: Vec<String>,
}

/// Why a file of a bundle cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("{0}")]
    LeftOut(&'static str),
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    #[error("the path is no longer a file")]
    NoFile,
    #[error(transparent)]
    Memory(#[from] NoMemory),
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Files {
    /// Lists the files of a bundle.
    pub(super) fn open(path: &Path, bounds: Bounds, meter: &ReadMeter) -> Result<Self, ReadError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let failed = |e: std::io::Error| ReadError::unreadable(path.display().to_string(), e);
        let mut files = Self {
            name,
            index: FileIndex::new(bounds),
            bounds,
            root: None,
            zips: Vec::new(),
            unfinished: Vec::new(),
        };
        let kind = std::fs::metadata(path).map_err(failed)?;
        if kind.is_dir() {
            files.root = Some(directory::open(path, &mut files.index).map_err(failed)?);
        } else if kind.is_file() {
            let file = Arc::new(File::open(path).map_err(failed)?);
            let own_name = files.name.clone();
            let span = Span::whole(file).map_err(failed)?;
            let len = span.len;
            files.add(&span.metered(meter), &own_name, "")?;
            meter.passed(len);
        } else {
            return Err(failed(std::io::Error::other("not a file or directory")));
        }
        files.add_packed()?;
        Ok(files)
    }

    /// Lists the files of an archive below `prefix`.
    fn add(&mut self, packed: &Span, name: &str, prefix: &str) -> Result<(), ReadError> {
        let listed = match form::of(packed) {
            Ok(form::FileFormat::Tar) => tape::list(packed, prefix, &mut self.index),
            Ok(form::FileFormat::Compressed(codec)) => {
                compressed::list(packed, codec, name, prefix, &mut self.index)
            }
            Ok(form::FileFormat::Zip) => {
                zipped::list(packed, prefix, &mut self.index, self.zips.len()).map(|zip| {
                    self.zips.push(Mutex::new(zip));
                })
            }
            Ok(form::FileFormat::Database | form::FileFormat::Capture) => {
                self.index.add_file(packed, name, prefix)
            }
            Err(e) => Err(e),
        };
        // An archive that ends early still has the files before its end.
        match listed {
            Err(e) if self.index.is_empty() => {
                Err(ReadError::unreadable(name, Box::<dyn std::error::Error + Send + Sync>::from(e)))
            }
            Err(e) => {
                self.unfinished.push(format!(
                    "{name} cannot be read to its end ({e}); only the files before that point are available"
                ));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Lists the archives inside the bundle: compressed databases, and whole bundles that were put into one file.
    fn add_packed(&mut self) -> Result<(), ReadError> {
        for _ in 0..self.bounds.nesting {
            for path in self.index.take_packed() {
                let name = format!("{path} in {}", self.name);
                match self.span(&path) {
                    Ok(span) => self.add(&span, &name, &index::below(&path))?,
                    Err(e) => self.index.trouble(format!("{name} cannot be read ({e})")),
                }
            }
        }
        for path in self.index.take_packed() {
            self.index.trouble(format!("{path} is not opened: archives are nested too deeply"));
        }
        Ok(())
    }

    /// The paths of all files, sorted. Links are listed at their own paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.index.paths()
    }

    /// The paths that begin with a prefix, sorted.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.index.below(prefix)
    }

    /// Problems with single files of the bundle, such as files that were left out.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.index.troubles()
    }

    /// Returns true if the path leads to a file, directly or through links.
    pub(super) fn has(&self, path: &str) -> bool {
        link::resolve(&self.index, path).is_ok()
    }

    /// The path of the file, after following links.
    pub(super) fn real_path(&self, path: &str) -> Result<String, LinkError> {
        Ok(link::resolve(&self.index, path)?.0)
    }

    /// The modification time of a file, as the bundle states it.
    pub(super) fn modified(&self, path: &str) -> Option<Timestamp> {
        link::resolve(&self.index, path).ok()?.1.modified
    }

    /// The size of a file in bytes, as the bundle states it.
    pub(super) fn size(&self, path: &str) -> Option<u64> {
        Some(link::resolve(&self.index, path).ok()?.1.size)
    }

    /// Returns true if each read decompresses an archive again up to this file.
    pub(super) fn is_packed(&self, path: &str) -> bool {
        let entry = link::resolve(&self.index, path);
        entry.is_ok_and(|(_, entry)| matches!(entry.content, Content::Packed { .. }))
    }

    /// A note that the archive ends within this file, if it does.
    pub(super) fn cut(&self, path: &str) -> Option<String> {
        let (_, entry) = link::resolve(&self.index, path).ok()?;
        match &entry.content {
            Content::Span(span) if span.len < entry.size => {
                Some(format!("{path} is cut: the archive has only {} of its {} bytes", span.len, entry.size))
            }
            _ => None,
        }
    }

    /// Reads a file. The memory counts as that of the call only while the file is read.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        Ok(self.read_at_most(path, self.bounds.file, 1)?.0)
    }

    /// Reads the output of a command. Until the call ends, the call holds memory for the output and for what a tool
    /// makes of it.
    pub(super) fn read_output(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        /// The memory of a parsed and printed output, as a multiple of its bytes.
        const PARSED: u64 = 16;
        let (bytes, memory) = self.read_at_most(path, self.bounds.output, PARSED)?;
        memory.keep();
        Ok(bytes)
    }

    /// Reads a file of objects, which has a lower size limit.
    pub(super) fn read_objects(&self, path: &str) -> Result<(Vec<u8>, Reserved), ReadError> {
        self.read_at_most(path, self.bounds.objects, 1)
    }

    /// The limit of the size of the objects in one answer, in bytes.
    pub(super) fn most_of_objects(&self) -> u64 {
        self.bounds.objects
    }

    fn read_at_most(&self, path: &str, limit: u64, times: u64) -> Result<(Vec<u8>, Reserved), ReadError> {
        self.try_read(path, limit, times).map_err(|e| match e {
            FileError::TooLarge(limit) => {
                ReadError::TooLarge { what: format!("{path} in {}", self.name), limit }
            }
            e => ReadError::unreadable(format!("{path} in {}", self.name), e),
        })
    }

    /// Reads a file that is expected to be small. Returns `None` if that fails.
    pub(super) fn read_small(&self, path: &str) -> Option<Vec<u8>> {
        Some(self.try_read(path, self.bounds.small_file, 1).ok()?.0)
    }

    /// Reads a file, and reserves this many times its size.
    fn try_read(&self, path: &str, limit: u64, times: u64) -> Result<(Vec<u8>, Reserved), FileError> {
        self.with_content(path, |content, size| take(content, size, limit, times))
    }

    /// A reader of a zip archive.
    fn zip(&self, number: usize) -> Result<ZipArchive<Span>, FileError> {
        let zip = self.zips.get(number).ok_or(FileError::NoFile)?;
        Ok(zip.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Opens a file for random access.
    fn span(&mut self, path: &str) -> Result<Span, FileError> {
        let (real, entry) = link::resolve(&self.index, path)?;
        match &entry.content {
            Content::Span(span) => Ok(span.clone()),
            Content::OnDisk => {
                let root = self.root.as_ref().ok_or(FileError::NoFile)?;
                Ok(Span::whole(Arc::new(directory::file(root, &real)?))?)
            }
            // An archive in a zip is decompressed into the temporary file, because an archive is read back and forth.
            Content::Zipped { zip, member } => {
                let (zip, member) = (*zip, *member);
                let mut zip = self.zip(zip)?;
                let (span, whole) = self.index.spool.keep(zip.by_index(member)?, self.bounds.file)?;
                whole.map(|()| span).map_err(FileError::Io)
            }
            Content::LeftOut(why) => Err(FileError::LeftOut(why)),
            Content::Packed { .. } | Content::Link(_) => Err(FileError::NoFile),
        }
    }
}

/// Reads everything up to the limit, and reserves `times` its size of memory. The memory for the expected size is
/// reserved first, so that a call waits before it has large data. A file can grow while it is read.
fn take(from: impl Read, size: u64, limit: u64, times: u64) -> Result<(Vec<u8>, Reserved), FileError> {
    /// The number of bytes for which memory is reserved at once. Smaller files need no reservation.
    const STEP: u64 = 4 << 20;
    if size > limit {
        return Err(FileError::TooLarge(limit));
    }
    let mut memory = Deadline::current().reserve();
    let mut reserved = 0;
    let mut reserve = |bytes: u64| {
        let more = bytes.saturating_sub(reserved);
        reserved += more;
        memory.grow(more * times)
    };
    if size.saturating_mul(times) >= STEP {
        reserve(size)?;
    }
    let mut bytes = Vec::with_capacity(size.min(STEP) as usize);
    let mut from = from.take(limit + 1);
    while from.by_ref().take(STEP).read_to_end(&mut bytes)? as u64 == STEP {
        reserve(bytes.len() as u64)?;
        // The capacity would double otherwise.
        bytes.reserve_exact(STEP as usize);
    }
    if bytes.len() as u64 > limit { Err(FileError::TooLarge(limit)) } else { Ok((bytes, memory)) }
}
