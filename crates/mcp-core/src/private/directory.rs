//! Private directories, and the removal of directories that dead servers left behind.
//!
//! Only the user of the server can enter a private directory (mode 0700), its path is short enough for sockets in it,
//! and its owner holds a lock on it. The kernel releases the lock when the owner ends in any way, so a directory
//! without a lock can be removed.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The prefix of the names of private directories.
const PREFIX: &str = "mcp-private-";
/// The maximum length of the parent directory's path. A longer path leaves too little room for the names of sockets
/// ([`crate::argv::PrivatePath::MAX`]).
const LONGEST_BASE: usize = 60;

/// A private directory, which is removed when the value is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    dir: TempDir,
    _lock: File,
}

impl Directory {
    /// Creates a private directory.
    pub(super) fn make() -> io::Result<Self> {
        // Another server that sweeps may lock a directory that was just created, and remove it as a dead server's.
        for _ in 0..16 {
            let only_mine = Permissions::from_mode(0o700);
            let dir = tempfile::Builder::new().prefix(PREFIX).permissions(only_mine).tempdir_in(base())?;
            let lock = File::open(dir.path())?;
            if lock.try_lock().is_ok() && is(dir.path(), &lock) {
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(io::Error::other("every new directory was removed at once"))
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Returns the parent directory: `TMPDIR`, if its path leaves room for sockets, or `/tmp`.
fn base() -> PathBuf {
    let dir = std::env::temp_dir();
    if dir.is_absolute() && dir.as_os_str().len() <= LONGEST_BASE { dir } else { "/tmp".into() }
}

/// Whether this open directory is still the one at this path.
fn is(path: &Path, open: &File) -> bool {
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((fs::symlink_metadata(path), open.metadata()), (Ok(a), Ok(b)) if same(&a, &b))
}

/// Removes the directories of dead servers, ends programs that still work in them, and returns the number of removed
/// directories.
pub(super) fn sweep() -> usize {
    let Ok(me) = fs::metadata("/proc/self").map(|it| it.uid()) else { return 0 };
    let mut swept = 0;
    for entry in fs::read_dir(base()).into_iter().flatten().flatten() {
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // The directory must not be a link and must belong to this user.
        let ours = || fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir() && it.uid() == me);
        if !named || !ours() {
            continue;
        }
        let Ok(lock) = File::open(&path) else { continue };
        if lock.try_lock().is_err() || !is(&path, &lock) {
            continue;
        }
        end_programs(&path);
        match fs::remove_dir_all(&path) {
            Ok(()) => swept += 1,
            Err(problem) => {
                tracing::warn!(directory = %path.display(), %problem, "cannot remove a private directory")
            }
        }
    }
    swept
}

/// Ends the programs that have this directory on their command lines. Such a program exists only if the server was
/// killed after it started the program and before the program asked the kernel to die with the server.
fn end_programs(directory: &Path) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(directory) = directory.to_str() else { return };
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // The process is opened before its command line is read, so a later process with the same id is never killed.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&format!("{directory}/")) {
            _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}
