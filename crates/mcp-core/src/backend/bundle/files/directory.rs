//! Reads a bundle that is a directory.

use super::index::{Content, Entry, FileIndex};
use cap_std::{
    ambient_authority,
    fs::{Dir, DirEntry, OpenOptions, OpenOptionsExt},
};
use jiff::Timestamp;
use std::{fs::File, io, path::Path};

/// `O_NONBLOCK` of Linux, which opens a pipe in place of a file without waiting for a writer.
const O_NONBLOCK: i32 = 0o4000;

/// Opens a directory as a capability and lists it. Links are listed but not followed.
pub(super) fn open(path: &Path, index: &mut FileIndex) -> io::Result<Dir> {
    let root = Dir::open_ambient_dir(path, ambient_authority())?;
    list(&root, "", 0, index)?;
    Ok(root)
}

/// Opens a file of the directory, and checks that it is still a file.
pub(super) fn file(root: &Dir, path: &str) -> io::Result<File> {
    let file = root.open_with(path, OpenOptions::new().read(true).custom_flags(O_NONBLOCK))?.into_std();
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("the path is no longer a file")) }
}

fn list(dir: &Dir, above: &str, depth: usize, index: &mut FileIndex) -> io::Result<()> {
    if depth > index.bounds().depth {
        index.count("left out with everything below (nested too deeply)", above);
        return Ok(());
    }
    let entries = match dir.entries() {
        Ok(entries) => entries,
        Err(e) if depth == 0 => return Err(e),
        Err(e) => {
            index.trouble(format!("{above} cannot be listed ({e})"));
            return Ok(());
        }
    };
    for entry in entries {
        match entry {
            Ok(entry) => add(dir, &entry, above, depth, index)?,
            Err(e) => index.trouble(format!("{above} cannot be listed to its end ({e})")),
        }
    }
    Ok(())
}

fn add(dir: &Dir, entry: &DirEntry, above: &str, depth: usize, index: &mut FileIndex) -> io::Result<()> {
    let name = entry.file_name();
    let text = name.to_string_lossy();
    let path = format!("{above}{text}");
    // An entry that vanished in the meantime is skipped.
    let Ok(kind) = entry.file_type() else { return Ok(()) };
    if kind.is_dir() {
        return match entry.open_dir() {
            Ok(below) => list(&below, &format!("{path}/"), depth + 1, index),
            Err(e) => {
                index.trouble(format!("{path} cannot be opened ({e})"));
                Ok(())
            }
        };
    }
    let metadata = entry.metadata().ok();
    let modified = metadata.as_ref().and_then(|m| m.modified().ok());
    let content = if kind.is_symlink() {
        match dir.read_link_contents(&name) {
            Ok(to) => Content::Link(to.to_string_lossy().into_owned()),
            Err(_) => Content::LeftOut("the path is a link that cannot be read"),
        }
    } else if !kind.is_file() {
        index.count("left out (device, pipe or socket)", &path);
        Content::LeftOut("the path is a device, pipe or socket")
    } else if text != name.as_os_str().to_str().unwrap_or_default() {
        Content::LeftOut("the name of the file is not UTF-8")
    } else {
        Content::OnDisk
    };
    let modified = modified.and_then(|t| Timestamp::try_from(t.into_std()).ok());
    index.insert("", &path, Entry { modified, size: metadata.map_or(0, |m| m.len()), content })
}
