//! A private directory, and what dead servers left of theirs.
//!
//! It is only this user's to enter (0700), its name is short enough for sockets in it, and its owner holds a lock on it.
//! The kernel drops the lock with the owner, however that ends: a directory whose lock is free is swept.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// How the names of all of them begin.
const PREFIX: &str = "mcp-private-";
/// A longer base leaves too little for the names of sockets ([`crate::argv::PrivatePath::MAX`]).
const LONGEST_BASE: usize = 60;

/// A private directory. It goes when dropped.
#[derive(Debug)]
pub(super) struct Directory {
    dir: TempDir,
    _lock: File,
}

impl Directory {
    /// Makes one.
    pub(super) fn make() -> io::Result<Self> {
        // Somebody who sweeps may hold a directory that was just made, and take it for a dead server's.
        for _ in 0..16 {
            let only_mine = Permissions::from_mode(0o700);
            let dir = tempfile::Builder::new().prefix(PREFIX).permissions(only_mine).tempdir_in(base())?;
            let lock = File::open(dir.path())?;
            if lock.try_lock().is_ok() && is(dir.path(), &lock) {
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(io::Error::other("each new one was taken away"))
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Where they are made: where `TMPDIR` says, if sockets can have names there.
fn base() -> PathBuf {
    let dir = std::env::temp_dir();
    if dir.is_absolute() && dir.as_os_str().len() <= LONGEST_BASE { dir } else { "/tmp".into() }
}

/// Is this open directory the one at this path?
fn is(path: &Path, open: &File) -> bool {
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((fs::symlink_metadata(path), open.metadata()), (Ok(a), Ok(b)) if same(&a, &b))
}

/// Removes the directories of servers that are gone, and ends programs that still work in them. It says how many.
pub(super) fn sweep() -> usize {
    let Ok(me) = fs::metadata("/proc/self").map(|it| it.uid()) else { return 0 };
    let mut swept = 0;
    for entry in fs::read_dir(base()).into_iter().flatten().flatten() {
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Not through a link, and nobody else's.
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
            Err(problem) => tracing::warn!(directory = %path.display(), %problem, "cannot remove"),
        }
    }
    swept
}

/// Ends the programs that work in a directory: they name it on their command lines. There is one only if the server
/// was killed between starting the program and the program's asking to go with it.
fn end_programs(directory: &Path) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(directory) = directory.to_str() else { return };
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // Opened first: then it is the process of this command line that is ended, and no later one of the same id.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&format!("{directory}/")) {
            _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}
