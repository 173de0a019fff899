//! The list of a bundle's files.

use super::{bound::Bounds, form::Codec, span::Span, spool::Spool};
use crate::backend::bundle::contents::{is_log, packed, wanted};
use jiff::Timestamp;
use std::{collections::BTreeMap, io};

/// A file, a link, or another named entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) modified: Option<Timestamp>,
    pub(super) size: u64,
    pub(super) content: Content,
}

/// Where the bytes of an entry are.
#[derive(Debug)]
pub(super) enum Content {
    /// In the directory, at the same path.
    OnDisk,
    /// In a plain tar archive, or in the temporary file.
    Span(Span),
    /// In a zip archive, as this member.
    Zipped { zip: usize, member: usize },
    /// In a compressed archive, as this member, which must be decompressed again.
    Packed { archive: Span, codec: Codec, member: usize },
    /// A link to another path in the bundle.
    Link(String),
    /// Not available, for this reason.
    LeftOut(&'static str),
}

/// The entries of a bundle, by path.
pub(super) struct FileIndex {
    entries: BTreeMap<String, Entry>,
    bounds: Bounds,
    names: usize,
    /// The size of the logs that are kept, in bytes.
    logs: u64,
    packed: Vec<String>,
    troubles: Vec<String>,
    /// Problems with single files: the problem, the number of files, and one example.
    counted: BTreeMap<&'static str, (usize, String)>,
    pub(super) spool: Spool,
}

/// How a member of a compressed archive is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retention {
    /// The member is copied.
    Kept,
    /// The member is copied while there is room for logs.
    Log,
    /// Only the name is listed.
    Listed,
}

/// The prefix of the files in an archive inside a bundle. The compressed databases appear at the paths that they have
/// when they are unpacked.
pub(super) fn below(archive: &str) -> String {
    let (parent, name) = archive.rsplit_once('/').map_or(("", archive), |(parent, name)| (parent, name));
    match (name.starts_with("ovnk_"), parent) {
        (true, "") => String::new(),
        (true, parent) => format!("{parent}/"),
        (false, _) => format!("{archive}/"),
    }
}

impl FileIndex {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            entries: BTreeMap::new(),
            bounds,
            names: 0,
            logs: 0,
            packed: Vec::new(),
            troubles: Vec::new(),
            counted: BTreeMap::new(),
            spool: Spool::new(bounds.kept),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let from =
            self.entries.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from.map(|(path, _)| path.as_str()).take_while(move |path| path.starts_with(prefix))
    }

    /// Returns the archives that were found since the last call.
    pub(super) fn take_packed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.packed)
    }

    /// Records a problem with the bundle.
    pub(super) fn trouble(&mut self, what: String) {
        self.troubles.push(what);
    }

    /// Records a file that did not fit into the temporary file. The reason is recorded once.
    pub(super) fn full(&mut self, why: &io::Error, path: &str) {
        const WHAT: &str = "could not be kept in the temporary file";
        if !self.counted.contains_key(WHAT) {
            self.trouble(why.to_string());
        }
        self.count(WHAT, path);
    }

    /// Counts a problem with a file, so that any number of files yields one line.
    pub(super) fn count(&mut self, what: &'static str, path: &str) {
        self.counted.entry(what).or_insert_with(|| (0, path.to_owned())).0 += 1;
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        let counted = self.counted.iter().map(|(what, (n, path))| match n {
            1 => format!("1 file {what}: {path:?}"),
            n => format!("{n} files {what}, such as {path:?}"),
        });
        self.troubles.iter().cloned().chain(counted).collect()
    }

    /// Decides whether to keep the content of a file that is expensive to read again.
    pub(super) fn wants(&self, path: &str) -> Retention {
        if wanted(path) || packed(path) {
            Retention::Kept
        } else if is_log(path) {
            Retention::Log
        } else {
            Retention::Listed
        }
    }

    /// Reserves room for a log of this size. Returns false if there is no room.
    pub(super) fn room_for_log(&mut self, size: u64) -> bool {
        let fits = self.logs.saturating_add(size) <= self.bounds.kept_logs;
        if fits {
            self.logs += size;
        }
        fits
    }

    /// Adds a file under its name in the archive or directory. The last file of the same name counts, as when an
    /// archive is unpacked. A file in an archive inside the bundle does not hide a file next to that archive.
    ///
    /// # Errors
    /// Returns an error if there are more files than any real bundle has.
    pub(super) fn insert(&mut self, prefix: &str, name: &str, entry: Entry) -> io::Result<()> {
        let Some(path) = normal(prefix, name) else {
            self.count("left out (the name leads out of the bundle)", name);
            return Ok(());
        };
        if path.is_empty() || (!prefix.is_empty() && self.entries.contains_key(&path)) {
            return Ok(());
        }
        self.names += path.len();
        if self.entries.len() >= self.bounds.files || self.names > self.bounds.names {
            return Err(io::Error::other(format!(
                "the bundle has more than {} files or more than {} bytes of names",
                self.bounds.files, self.bounds.names
            )));
        }
        if packed(&path)
            && matches!(entry.content, Content::OnDisk | Content::Span(_) | Content::Zipped { .. })
        {
            self.packed.push(path.clone());
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    /// Adds a database or a capture that was opened by itself, without a bundle.
    pub(super) fn add_file(&mut self, file: &Span, name: &str, prefix: &str) -> io::Result<()> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let content = Content::Span(file.clone());
        self.insert(prefix, name, Entry { modified: None, size: file.len, content })
    }
}

/// Normalizes a path: no `.`, and no doubled or leading slash. Returns `None` if the path leads out of the bundle.
fn normal(prefix: &str, name: &str) -> Option<String> {
    if name.split('/').any(|part| part == "..") {
        return None;
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() { Some(String::new()) } else { Some(format!("{prefix}{}", parts.join("/"))) }
}
