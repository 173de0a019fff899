//! Zip archives. Members are read where asked.

use super::{
    index::{Content, Entry, Index},
    span::Span,
};
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    io::{self, Read},
};
use zip::{ExtraField, ZipArchive};

/// Longer than any path.
const MAX_TARGET: u64 = 4096;
/// The type of a file in Unix's mode, and that of a link.
const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Lists the members; `zip` is the number under which the archive will be known.
pub(super) fn list(
    archive: &Span,
    prefix: &str,
    index: &mut Index,
    zip: usize,
) -> io::Result<ZipArchive<Span>> {
    let mut members = ZipArchive::new(archive.clone()).map_err(|e| match e {
        // The list of members is at the end.
        zip::result::ZipError::InvalidArchive(_) => io::Error::other(format!("it is cut or damaged: {e}")),
        e => e.into(),
    })?;
    let overlapping = overlapping(&mut members);
    for member in 0..members.len() {
        let file = match members.by_index_raw(member) {
            Ok(file) => file,
            Err(e) => {
                index.trouble(format!("member {member} of the zip cannot be read ({e})"));
                continue;
            }
        };
        if file.is_dir() {
            continue;
        }
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let entry =
            Entry { modified: modified(&file), size: file.size(), content: Content::Zipped { zip, member } };
        let entry = if overlapping.contains(&member) {
            index.count(
                "share packed bytes with others of the zip, as no packer writes them, and are left out",
                &name,
            );
            Entry { content: Content::LeftOut("it shares its packed bytes with another file"), ..entry }
        } else if file.encrypted() {
            index.count("is encrypted", &name);
            Entry { content: Content::LeftOut("it is encrypted"), ..entry }
        } else if file.unix_mode().is_some_and(|mode| mode & TYPE == LINK) {
            drop(file);
            let mut target = String::new();
            let read = members.by_index(member).map_err(io::Error::from);
            match read.and_then(|file| file.take(MAX_TARGET).read_to_string(&mut target)) {
                Ok(_) => Entry { content: Content::Link(target), ..entry },
                Err(_) => Entry { content: Content::LeftOut("it is a link that cannot be read"), ..entry },
            }
        } else {
            entry
        };
        index.insert(prefix, &name, entry)?;
    }
    Ok(members)
}

/// The members whose packed bytes belong to an earlier member too. A zip of a few megabytes could so hold terabytes.
fn overlapping(members: &mut ZipArchive<Span>) -> BTreeSet<usize> {
    let mut places: Vec<(u64, u64, usize)> = (0..members.len())
        .filter_map(|member| {
            let file = members.by_index_raw(member).ok()?;
            let start = file.data_start()?;
            (file.compressed_size() > 0)
                .then(|| (start, start.saturating_add(file.compressed_size()), member))
        })
        .collect();
    places.sort_unstable();
    let mut free = 0;
    let mut overlapping = BTreeSet::new();
    for (start, end, member) in places {
        if start < free {
            overlapping.insert(member);
        }
        free = free.max(end);
    }
    overlapping
}

/// The time in UTC, where the packer noted it. The one that each zip has is local time, of an unknown place.
fn modified<R: Read>(file: &zip::read::ZipFile<'_, R>) -> Option<Timestamp> {
    file.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => Timestamp::from_second(i64::from(times.mod_time()?)).ok(),
        _ => None,
    })
}
