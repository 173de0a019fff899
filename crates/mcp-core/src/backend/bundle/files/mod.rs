//! The files of one bundle, in a directory or an archive, whatever it is packed with.
//!
//! A bundle is listed once, from front to end, and nothing is written beside it:
//!
//! * a directory is opened as a capability and read where asked;
//! * of a plain `.tar` or a `.zip` the place of each member is noted, and members are read where asked;
//! * of a compressed archive, what layers ask for ([`wanted`]) is copied into one temporary file that has no name
//!   ([`Spool`]), so that it goes with the process, however that ends. Logs are copied too, up to a bound; those beyond
//!   are unpacked anew when they are asked for, and so is the rest.
//!
//! Memory holds names, places and times.

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

use crate::backend::ReadError;
use cap_std::fs::Dir;
use index::{Content, Index};
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
pub(super) use link::Gone;
pub(super) use meter::Meter;

/// The files of one bundle, by their path inside it.
pub(super) struct Files {
    /// What it is called in answers: the last part of its path.
    pub(super) name: String,
    index: Index,
    bounds: Bounds,
    root: Option<Dir>,
    zips: Vec<Mutex<ZipArchive<Span>>>,
    /// Archives that end early. What is missed may have been in the rest, so every answer has to say it.
    pub(super) unfinished: Vec<String>,
}

/// Why a file of a bundle cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Gone(#[from] Gone),
    #[error("{0}")]
    LeftOut(&'static str),
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it is no longer a file")]
    NoFile,
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Files {
    /// Lists a bundle.
    pub(super) fn open(path: &Path, bounds: Bounds, meter: &Meter) -> Result<Self, ReadError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let failed = |e: std::io::Error| ReadError::unreadable(path.display().to_string(), e);
        let mut files = Self {
            name,
            index: Index::new(bounds),
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
            return Err(failed(std::io::Error::other("it is neither a file nor a directory")));
        }
        files.add_packed()?;
        Ok(files)
    }

    /// Lists what an archive holds, below `prefix`.
    fn add(&mut self, packed: &Span, name: &str, prefix: &str) -> Result<(), ReadError> {
        let listed = match form::of(packed) {
            Ok(form::Form::Tar) => tape::list(packed, prefix, &mut self.index),
            Ok(form::Form::Compressed(codec)) => {
                compressed::list(packed, codec, name, prefix, &mut self.index)
            }
            Ok(form::Form::Zip) => {
                zipped::list(packed, prefix, &mut self.index, self.zips.len()).map(|zip| {
                    self.zips.push(Mutex::new(zip));
                })
            }
            Ok(form::Form::Database) => self.index.add_database(packed, name, prefix),
            Err(e) => Err(e),
        };
        // An archive that ends early still has what came before.
        match listed {
            Err(e) if self.index.is_empty() => {
                Err(ReadError::unreadable(name, Box::<dyn std::error::Error + Send + Sync>::from(e)))
            }
            Err(e) => {
                self.unfinished
                    .push(format!("{name} cannot be read to its end ({e}): what comes before is read"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Lists the archives that are in the bundle: packed databases, and whole bundles that were put into one file.
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

    /// The paths of all files, sorted; of links, where they lie.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.index.paths()
    }

    /// The paths that begin so, sorted.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.index.below(prefix)
    }

    /// What is wrong with single files of the bundle: what was left out and why.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.index.troubles()
    }

    /// Is there such a file, itself or behind links?
    pub(super) fn has(&self, path: &str) -> bool {
        link::resolve(&self.index, path).is_ok()
    }

    /// The path where links lead.
    pub(super) fn real_path(&self, path: &str) -> Result<String, Gone> {
        Ok(link::resolve(&self.index, path)?.0)
    }

    /// When a file was written, as the bundle says.
    pub(super) fn modified(&self, path: &str) -> Option<Timestamp> {
        link::resolve(&self.index, path).ok()?.1.modified
    }

    /// How large a file is, as the bundle says.
    pub(super) fn size(&self, path: &str) -> Option<u64> {
        Some(link::resolve(&self.index, path).ok()?.1.size)
    }

    /// Whether each reading of a file unpacks an archive again up to this file.
    pub(super) fn is_packed(&self, path: &str) -> bool {
        let entry = link::resolve(&self.index, path);
        entry.is_ok_and(|(_, entry)| matches!(entry.content, Content::Packed { .. }))
    }

    /// What is missing at the end of a file, because the archive ends within it.
    pub(super) fn cut(&self, path: &str) -> Option<String> {
        let (_, entry) = link::resolve(&self.index, path).ok()?;
        match &entry.content {
            Content::Span(span) if span.len < entry.size => {
                Some(format!("{path} is cut: the archive has {} of its {} bytes", span.len, entry.size))
            }
            _ => None,
        }
    }

    /// The content of a file.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.read_at_most(path, self.bounds.file)
    }

    /// The content of a file of objects.
    pub(super) fn read_objects(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.read_at_most(path, self.bounds.objects)
    }

    /// How many bytes the objects may have that one question finds.
    pub(super) fn most_of_objects(&self) -> u64 {
        self.bounds.objects
    }

    fn read_at_most(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadError> {
        self.try_read(path, limit).map_err(|e| match e {
            Unreadable::TooLarge(limit) => {
                ReadError::TooLarge { what: format!("{path} in {}", self.name), limit }
            }
            e => ReadError::unreadable(format!("{path} in {}", self.name), e),
        })
    }

    /// The content of a file that is expected to be small.
    pub(super) fn read_small(&self, path: &str) -> Option<Vec<u8>> {
        self.try_read(path, self.bounds.small_file).ok()
    }

    fn try_read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Unreadable> {
        self.with_content(path, |content, size| take(content, size, limit))
    }

    /// A reader of a zip.
    fn zip(&self, number: usize) -> Result<ZipArchive<Span>, Unreadable> {
        let zip = self.zips.get(number).ok_or(Unreadable::NoFile)?;
        Ok(zip.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// A file as something that can be read at any place.
    fn span(&mut self, path: &str) -> Result<Span, Unreadable> {
        let (real, entry) = link::resolve(&self.index, path)?;
        match &entry.content {
            Content::Span(span) => Ok(span.clone()),
            Content::OnDisk => {
                let root = self.root.as_ref().ok_or(Unreadable::NoFile)?;
                Ok(Span::whole(Arc::new(directory::file(root, &real)?))?)
            }
            // Unpacked into the temporary file, since an archive inside is read back and forth.
            Content::Zipped { zip, member } => {
                let (zip, member) = (*zip, *member);
                let mut zip = self.zip(zip)?;
                let (span, whole) = self.index.spool.keep(zip.by_index(member)?, self.bounds.file)?;
                whole.map(|()| span).map_err(Unreadable::Io)
            }
            Content::LeftOut(why) => Err(Unreadable::LeftOut(why)),
            Content::Packed { .. } | Content::Link(_) => Err(Unreadable::NoFile),
        }
    }
}

/// Reads all, but not more than the limit: a file can grow while it is read.
fn take(from: impl Read, size: u64, limit: u64) -> Result<Vec<u8>, Unreadable> {
    /// What a size is believed before it is seen.
    const AT_ONCE: u64 = 64 << 20;
    let mut bytes = Vec::with_capacity(size.min(limit).min(AT_ONCE) as usize);
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(Unreadable::TooLarge(limit)) } else { Ok(bytes) }
}
