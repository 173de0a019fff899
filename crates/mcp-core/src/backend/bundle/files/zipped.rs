//! Reads zip archives. Members are read on demand.

use super::{
    index::{Content, Entry, FileIndex},
    span::Span,
};
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    io::{self, Read},
};
use zip::{ExtraField, ZipArchive};

/// The limit of a link's target in bytes, which no path exceeds.
const MAX_TARGET: u64 = 4096;
/// The mask of the file type in a Unix mode, and the type of a symbolic link.
const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Lists the members of a zip archive. `zip` is the index that the archive will have.
pub(super) fn list(
    archive: &Span,
    prefix: &str,
    index: &mut FileIndex,
    zip: usize,
) -> io::Result<ZipArchive<Span>> {
    let mut members = ZipArchive::new(archive.clone()).map_err(|e| match e {
        // The list of members is at the end of a zip archive, so an archive that is cut looks invalid.
        zip::result::ZipError::InvalidArchive(_) => {
            io::Error::other(format!("the archive is cut or damaged: {e}"))
        }
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
                "left out (compressed bytes shared with other files of the zip, which no real archive does)",
                &name,
            );
            Entry {
                content: Content::LeftOut("the file shares its compressed bytes with another file"),
                ..entry
            }
        } else if file.encrypted() {
            index.count("left out (encrypted)", &name);
            Entry { content: Content::LeftOut("the file is encrypted"), ..entry }
        } else if file.unix_mode().is_some_and(|mode| mode & TYPE == LINK) {
            drop(file);
            let mut target = String::new();
            let read = members.by_index(member).map_err(io::Error::from);
            match read.and_then(|file| file.take(MAX_TARGET).read_to_string(&mut target)) {
                Ok(_) => Entry { content: Content::Link(target), ..entry },
                Err(_) => {
                    Entry { content: Content::LeftOut("the path is a link that cannot be read"), ..entry }
                }
            }
        } else {
            entry
        };
        index.insert(prefix, &name, entry)?;
    }
    Ok(members)
}

/// The members whose compressed bytes also belong to an earlier member. Such a zip of a few megabytes could contain
/// terabytes.
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

/// The modification time in UTC, if the archive has it. The time that every zip has is local time in an unknown time
/// zone.
fn modified<R: Read>(file: &zip::read::ZipFile<'_, R>) -> Option<Timestamp> {
    file.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => Timestamp::from_second(i64::from(times.mod_time()?)).ok(),
        _ => None,
    })
}
