//! Opens files of a node without following symbolic links.
//!
//! A server that runs as root reads logs and databases from directories that other users may write to. A link there
//! could lead to any file of the node, so no link is followed, in no component of a path.

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FileType, Mode, OFlags, open, openat, statat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// The root directory of a node's file system.
pub(super) struct Root(OwnedFd);

/// A directory below a [`Root`].
pub(super) struct Folder(OwnedFd);

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// `NONBLOCK` opens a pipe in place of a file without waiting for a writer.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Root {
    /// Opens the root. The operator chooses its path, which may be a link: `/proc/PID/root` is one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, DIRECTORY, Mode::empty())?))
    }

    /// Opens the directory at a path that is relative to the root.
    pub(super) fn folder(&self, path: &str) -> io::Result<Folder> {
        let mut folder = Folder(self.0.try_clone()?);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            folder = Folder(folder.at(name.as_ref(), DIRECTORY)?);
        }
        Ok(folder)
    }

    /// Opens the first of these paths that exists, even if it cannot be opened: a file at a later path is not the file
    /// that was asked for.
    pub(super) fn first_existing<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Option<(&'a str, io::Result<File>)> {
        let is_missing = |file: &io::Result<File>| {
            file.as_ref().err().is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
        };
        paths.into_iter().map(|path| (path, self.file(path))).find(|(_, file)| !is_missing(file))
    }

    /// Opens the file at a path that is relative to the root.
    pub(super) fn file(&self, path: &str) -> io::Result<File> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.folder(folder)?.file(name.as_ref())
    }
}

impl Folder {
    /// Opens a file in this directory.
    pub(super) fn file(&self, name: &Path) -> io::Result<File> {
        let file = File::from(self.at(name, FILE)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
    }

    /// The names of the entries in this directory.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let name = |entry: rustix::io::Result<rustix::fs::DirEntry>| -> io::Result<OsString> {
            Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned())
        };
        rustix::fs::Dir::read_from(&self.0)?.map(name).collect()
    }

    fn at(&self, name: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let is_link = || {
            let found = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
            found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_symlink())
        };
        openat(&self.0, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|e| match e {
            // The kernel returns ELOOP or ENOTDIR for a link, depending on the flags.
            Errno::LOOP | Errno::NOTDIR if is_link() => io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is a symbolic link, and links are not followed", name.display()),
            ),
            e => e.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Read, os::unix::fs::symlink};

    #[test]
    fn files_are_opened_and_symbolic_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("root/var/log/ovn"), dir.path().join("shadow"));
        fs::create_dir_all(&inside).unwrap();
        fs::write(&outside, "secret").unwrap();
        fs::write(inside.join("a.log"), "text").unwrap();
        symlink(&outside, inside.join("b.log")).unwrap();
        symlink("a.log", inside.join("c.log")).unwrap();
        symlink("ovn", dir.path().join("root/var/log/openvswitch")).unwrap();
        symlink(dir.path().join("root"), dir.path().join("link")).unwrap();
        let root = Root::open(&dir.path().join("link")).unwrap();
        let mut text = String::new();
        root.file("var/log/ovn/a.log").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        for (path, link) in [
            ("var/log/ovn/b.log", "b.log"),
            ("var/log/ovn/c.log", "c.log"),
            ("var/log/openvswitch/a.log", "openvswitch"),
        ] {
            let e = root.file(path).unwrap_err().to_string();
            assert_eq!(e, format!("{link} is a symbolic link, and links are not followed"));
        }
        assert_eq!(root.file("var/log/x/a.log").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(root.file("var/log/ovn").unwrap_err().to_string().contains("not a regular file"));
        assert_eq!(
            root.folder("var/log/ovn").unwrap().names().unwrap().len(),
            5,
            "the names include `.` and `..`"
        );
    }
}
