//! Reads files in pieces. A log can be larger than memory, so no reader holds a whole log.

use super::{FileError, Files, compressed, directory, index::Content, link};
use crate::deadline::Timed;
use std::io::Read;

impl Files {
    /// Passes the content of a file, from its beginning, and its stated size to `read`. The content ends with an error
    /// when the call's time is over.
    pub(super) fn with_content<T>(
        &self,
        path: &str,
        read: impl FnOnce(&mut dyn Read, u64) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let (real, entry) = link::resolve(&self.index, path)?;
        match &entry.content {
            Content::OnDisk => {
                let root = self.root.as_ref().ok_or(FileError::NoFile)?;
                read(&mut Timed::new(directory::file(root, &real)?), entry.size)
            }
            Content::Span(span) => read(&mut Timed::new(span.clone()), span.len),
            Content::Zipped { zip, member } => {
                // Each read has its own reader, so that concurrent reads do not wait for each other.
                let mut zip = self.zip(*zip)?;
                read(&mut Timed::new(zip.by_index(*member)?), entry.size)
            }
            Content::Packed { archive, codec, member } => {
                let mut read = Some(read);
                compressed::member(archive, *codec, *member, self.bounds, &mut |content| {
                    let read = read.take().ok_or(FileError::NoFile)?;
                    read(content, entry.size)
                })
            }
            Content::LeftOut(why) => Err(FileError::LeftOut(why)),
            Content::Link(_) => Err(FileError::NoFile),
        }
    }

    /// Passes the content of a file to `take`, decompressed if it is compressed.
    pub(in crate::backend::bundle) fn pour_plain(
        &self,
        path: &str,
        take: impl FnOnce(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), FileError> {
        let bounds = self.bounds;
        self.with_content(path, |content, _| Ok(take(&mut *compressed::plain(content, bounds)?)?))
    }

    /// Passes the content of a file to `take`, which reads as much of it as it wants.
    pub(in crate::backend::bundle) fn pour(
        &self,
        path: &str,
        take: &mut dyn FnMut(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), FileError> {
        self.with_content(path, |content, _| Ok(take(content)?))
    }
}
