//! Files that are read piece by piece. A log can be larger than memory; nobody holds it as a whole.

use super::{Files, Unreadable, compressed, directory, index::Content, link};
use crate::deadline::Timed;
use std::io::Read;

impl Files {
    /// Hands the content of a file to `read`, from its beginning, and how large it is said to be. It ends with an error
    /// when the call is over for which it is read.
    pub(super) fn with_content<T>(
        &self,
        path: &str,
        read: impl FnOnce(&mut dyn Read, u64) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        let (real, entry) = link::resolve(&self.index, path)?;
        match &entry.content {
            Content::OnDisk => {
                let root = self.root.as_ref().ok_or(Unreadable::NoFile)?;
                read(&mut Timed::new(directory::file(root, &real)?), entry.size)
            }
            Content::Span(span) => read(&mut Timed::new(span.clone()), span.len),
            Content::Zipped { zip, member } => {
                // A reader of its own: it is held for as long as somebody reads.
                let mut zip = self.zip(*zip)?;
                read(&mut Timed::new(zip.by_index(*member)?), entry.size)
            }
            Content::Packed { archive, codec, member } => {
                let mut read = Some(read);
                compressed::member(archive, *codec, *member, self.bounds, &mut |content| {
                    let read = read.take().ok_or(Unreadable::NoFile)?;
                    read(content, entry.size)
                })
            }
            Content::LeftOut(why) => Err(Unreadable::LeftOut(why)),
            Content::Link(_) => Err(Unreadable::NoFile),
        }
    }

    /// Reads a file to its end in pieces, until `take` says that it wants no more.
    pub(in crate::backend::bundle) fn pour(
        &self,
        path: &str,
        take: &mut dyn FnMut(&mut dyn Read) -> std::io::Result<()>,
    ) -> Result<(), Unreadable> {
        self.with_content(path, |content, _| Ok(take(content)?))
    }
}
