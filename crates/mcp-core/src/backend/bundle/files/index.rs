//! The list of a bundle's files.

use super::{bound::Bounds, form::Codec, span::Span, spool::Spool};
use crate::backend::bundle::contents::{is_log, packed, wanted};
use jiff::Timestamp;
use std::{collections::BTreeMap, io};

/// A file, a link, or something else with a name.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) modified: Option<Timestamp>,
    pub(super) size: u64,
    pub(super) content: Content,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Content {
    /// In the directory, at this path.
    OnDisk,
    /// In a plain tar, or in the temporary file.
    Span(Span),
    /// In this zip, at this place of its list.
    Zipped { zip: usize, member: usize },
    /// In this compressed archive, as so many-th of its members: to be unpacked anew.
    Packed { archive: Span, codec: Codec, member: usize },
    /// Elsewhere in the bundle, seen from here.
    Link(String),
    /// Nowhere, and why.
    LeftOut(&'static str),
}

/// Files by their path.
pub(super) struct Index {
    entries: BTreeMap<String, Entry>,
    bounds: Bounds,
    names: usize,
    /// Bytes of logs that are kept.
    logs: u64,
    packed: Vec<String>,
    troubles: Vec<String>,
    /// Troubles of single files: what, how many, and one of them.
    counted: BTreeMap<&'static str, (usize, String)>,
    pub(super) spool: Spool,
}

/// What is done with a member of a compressed archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// It is copied.
    Kept,
    /// It is copied while there is room for logs.
    Log,
    /// Its name is noted.
    Listed,
}

/// The names below an archive inside a bundle: the packed databases appear where they would lie unpacked.
pub(super) fn below(archive: &str) -> String {
    let (parent, name) = archive.rsplit_once('/').map_or(("", archive), |(parent, name)| (parent, name));
    match (name.starts_with("ovnk_"), parent) {
        (true, "") => String::new(),
        (true, parent) => format!("{parent}/"),
        (false, _) => format!("{archive}/"),
    }
}

impl Index {
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

    /// The archives found since this was last asked.
    pub(super) fn take_packed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.packed)
    }

    /// Something is wrong with the bundle.
    pub(super) fn trouble(&mut self, what: String) {
        self.troubles.push(what);
    }

    /// The temporary file takes no more: why is said once.
    pub(super) fn full(&mut self, why: &io::Error, path: &str) {
        const WHAT: &str = "could not be kept in the temporary file";
        if !self.counted.contains_key(WHAT) {
            self.trouble(why.to_string());
        }
        self.count(WHAT, path);
    }

    /// Something is wrong with a file. However many there are, it is said once.
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

    /// Is the content of this file to be kept, where that costs something?
    pub(super) fn wants(&self, path: &str) -> Want {
        if wanted(path) || packed(path) {
            Want::Kept
        } else if is_log(path) {
            Want::Log
        } else {
            Want::Listed
        }
    }

    /// Is there room for a log of so many bytes among those that are kept? If so, it is taken.
    pub(super) fn room_for_log(&mut self, size: u64) -> bool {
        let fits = self.logs.saturating_add(size) <= self.bounds.kept_logs;
        if fits {
            self.logs += size;
        }
        fits
    }

    /// Adds a file under its name in the archive or directory. The last of one name is the one that counts, as when
    /// an archive is unpacked; but what an archive inside the bundle holds does not hide what lies beside it.
    ///
    /// # Errors
    /// When there are more files than any bundle has.
    pub(super) fn insert(&mut self, prefix: &str, name: &str, entry: Entry) -> io::Result<()> {
        let Some(path) = normal(prefix, name) else {
            self.count("would lie outside the bundle, by its name, and is left out", name);
            return Ok(());
        };
        if path.is_empty() || (!prefix.is_empty() && self.entries.contains_key(&path)) {
            return Ok(());
        }
        self.names += path.len();
        if self.entries.len() >= self.bounds.files || self.names > self.bounds.names {
            return Err(io::Error::other(format!(
                "it has more than {} files, or {} bytes of names",
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

    /// A database that was given by itself, without a bundle around it.
    pub(super) fn add_database(&mut self, file: &Span, name: &str, prefix: &str) -> io::Result<()> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let content = Content::Span(file.clone());
        self.insert(prefix, name, Entry { modified: None, size: file.len, content })
    }
}

/// A path as it is listed: no `.`, no doubled or leading slash. None: it leads out.
fn normal(prefix: &str, name: &str) -> Option<String> {
    if name.split('/').any(|part| part == "..") {
        return None;
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() { Some(String::new()) } else { Some(format!("{prefix}{}", parts.join("/"))) }
}
