//! The files of a bundle, in a directory or an archive.

use crate::backend::ReadError;
use cap_std::{ambient_authority, fs::Dir};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Cursor, Read},
    path::Path,
};

/// Files of one bundle, by their path inside it.
///
/// Nothing outside the bundle is read: a directory is opened as a capability, and links are not followed.
pub(super) struct Tree {
    name: String,
    root: Option<Dir>,
    files: BTreeMap<String, Entry>,
}

struct Entry {
    modified: Option<Timestamp>,
    /// The content, where it came out of an archive and a layer may ask for it.
    content: Option<Vec<u8>>,
}

/// The most that one file, and all files kept from archives, may take.
const MAX_BYTES: u64 = 2 << 30;
/// More entries than any collection of a cluster has.
const MAX_ENTRIES: usize = 2_000_000;
/// Deeper than any collection nests.
const MAX_DEPTH: usize = 64;
/// An archive inside the bundle that is opened as if it were unpacked.
const NESTED: &str = "network_logs/ovnk_database_store.tar.gz";

impl Tree {
    /// Lists a bundle. An archive is read once, from front to end, and what layers ask for is kept.
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let failed = |e| ReadError::unreadable(path.display().to_string(), e);
        let mut tree = Self { name, root: None, files: BTreeMap::new() };
        if std::fs::metadata(path).map_err(failed)?.is_dir() {
            let root = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
            tree.walk(&root, "", 0)?;
            tree.root = Some(root);
        } else {
            tree.unpack(BufReader::new(File::open(path).map_err(failed)?), "")?;
        }
        let nested: Vec<_> = tree.files.keys().filter(|p| p.ends_with(NESTED)).cloned().collect();
        for path in nested {
            let prefix = path.trim_end_matches("ovnk_database_store.tar.gz").to_owned();
            let bytes = tree.read(&path)?;
            tree.unpack(Cursor::new(bytes), &prefix)?;
        }
        Ok(tree)
    }

    /// The paths of all files, sorted.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// When a file was written, as the bundle says.
    pub(super) fn modified(&self, path: &str) -> Option<Timestamp> {
        self.files.get(path)?.modified
    }

    /// The content of a file.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let failed = |e| ReadError::unreadable(format!("{path} in {}", self.name), e);
        match (self.files.get(path), &self.root) {
            (Some(Entry { content: Some(bytes), .. }), _) => Ok(bytes.clone()),
            (Some(_), Some(root)) => {
                let mut bytes = Vec::new();
                let file = root.open(path).map_err(failed)?;
                file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
                if bytes.len() as u64 > MAX_BYTES {
                    return Err(ReadError::TooLarge { what: path.into(), limit: MAX_BYTES });
                }
                Ok(bytes)
            }
            _ => Err(failed(std::io::ErrorKind::NotFound.into())),
        }
    }

    fn walk(&mut self, dir: &Dir, prefix: &str, depth: usize) -> Result<(), ReadError> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        let failed = |e| ReadError::unreadable(format!("{prefix} in the bundle"), e);
        for entry in dir.entries().map_err(failed)?.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if let Ok(below) = entry.open_dir() {
                    self.walk(&below, &format!("{path}/"), depth + 1)?;
                }
            } else if kind.is_file() {
                let modified = entry.metadata().ok().and_then(|m| m.modified().ok());
                let modified = modified.and_then(|t| Timestamp::try_from(t.into_std()).ok());
                self.insert(path, Entry { modified, content: None })?;
            }
        }
        Ok(())
    }

    fn unpack(&mut self, reader: impl Read + 'static, prefix: &str) -> Result<(), ReadError> {
        let name = self.name.clone();
        let failed = |e| ReadError::unreadable(format!("the archive {name}"), e);
        let mut archive = tar::Archive::new(decompress(reader).map_err(failed)?);
        let mut kept = 0;
        for entry in archive.entries().map_err(failed)? {
            let mut entry = entry.map_err(failed)?;
            let Ok(path) = entry.path().map(|p| p.to_string_lossy().into_owned()) else { continue };
            let path = format!("{prefix}{}", path.trim_start_matches("./"));
            if !entry.header().entry_type().is_file() || path.split('/').any(|part| part == "..") {
                continue;
            }
            let modified = entry.header().mtime().ok().and_then(|s| Timestamp::from_second(s as i64).ok());
            let content = if wanted(&path) {
                kept += entry.size();
                if kept > MAX_BYTES {
                    return Err(ReadError::TooLarge { what: name, limit: MAX_BYTES });
                }
                let mut bytes = Vec::with_capacity(entry.size().min(1 << 26) as usize);
                entry.read_to_end(&mut bytes).map_err(failed)?;
                Some(bytes)
            } else {
                None
            };
            self.insert(path, Entry { modified, content })?;
        }
        Ok(())
    }

    fn insert(&mut self, path: String, entry: Entry) -> Result<(), ReadError> {
        if self.files.len() >= MAX_ENTRIES {
            return Err(ReadError::TooLarge {
                what: format!("the list of files of {}", self.name),
                limit: MAX_ENTRIES as u64,
            });
        }
        // What is in the bundle as a file and in an archive of it as well, is read as the file.
        self.files.entry(path).or_insert(entry);
        Ok(())
    }
}

/// Is this what some layer asks for? The rest of an archive is listed, but not kept.
fn wanted(path: &str) -> bool {
    path.contains("network_logs/ovnk_database_store")
        || path.ends_with("/core/pods.yaml")
        || (path.contains("/pods/") && path.ends_with(".yaml"))
}

/// Sees through gzip and xz, by the first bytes rather than the name.
fn decompress(mut reader: impl Read + 'static) -> std::io::Result<Box<dyn Read>> {
    let mut magic = [0; 6];
    let mut seen = 0;
    while let Some(rest) = magic.get_mut(seen..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest)? {
            0 => break,
            n => seen += n,
        }
    }
    let all = Cursor::new(magic).take(seen as u64).chain(reader);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(all)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(liblzma::read::XzDecoder::new_multi_decoder(all)),
        _ => Box::new(all),
    })
}
