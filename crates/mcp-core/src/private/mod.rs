//! Runs programs on a copy of a bundle's data: `ovn-trace`, `ofproto/trace` and the daemons that these need.
//!
//! A [`Workshop`] is a private directory and the programs that run in it, for one call of a tool. The programs cannot
//! touch anything else: their commands come from a table of their own ([`PrivateAllow`](crate::argv::PrivateAllow)),
//! their paths are inside the directory ([`PrivatePath`](crate::argv::PrivatePath)), and no backend runs them. A
//! workshop leaves nothing behind:
//!   ends the programs and removes the directory.
//! - When the server is killed, the kernel kills the programs, and the next server that starts removes the directory.

mod directory;
mod error;
mod process;

pub use error::PrivateError;

use crate::{
    Output,
    argv::{PrivateArgv, PrivatePath},
};
use directory::Directory;
use ovsdb::Database;
use process::Daemon;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// The interval of the checks whether a daemon is ready.
const PAUSE: Duration = Duration::from_millis(5);
/// The time for which dropping a workshop waits until killed programs are gone, so that none of them writes to the
/// directory while it is removed.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// A private directory and the programs that run in it.
#[derive(Debug)]
pub struct Workshop {
    // The fields are dropped in this order, after `drop` has ended the daemons.
    daemons: Vec<Daemon>,
    directory: Directory,
    memory: u64,
    within: Duration,
    since: Instant,
}

impl Workshop {
    /// The default limit of a program's address space in bytes.
    pub const MEMORY: u64 = 6_000_000_000;

    /// Returns an empty workshop. All its programs together may take the time `within`, and each may have `memory`
    /// bytes of address space.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateError::Directory`] if there is no usable temporary directory.
    pub fn open(within: Duration, memory: u64) -> Result<Self, PrivateError> {
        let directory =
            Directory::make().map_err(|e| PrivateError::directory("cannot make a private directory", e))?;
        Ok(Self { daemons: Vec::new(), directory, memory, within, since: Instant::now() })
    }

    /// Removes the directories of servers that were killed, and returns the number of removed directories. Every
    /// server calls this when it starts.
    pub fn sweep() -> usize {
        directory::sweep()
    }

    /// Checks that a program is installed, before any work is done for it.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateError::NotInstalled`] with the package that contains the program.
    pub fn need(program: &str, package: &'static str) -> Result<(), PrivateError> {
        match process::find(program) {
            Some(_) => Ok(()),
            None => Err(PrivateError::NotInstalled { program: program.into(), package }),
        }
    }

    /// Returns the path of a file or socket with this name.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateError::Path`] if the path would be outside the directory or too long for a socket.
    pub fn path(&self, name: &str) -> Result<PrivatePath, PrivateError> {
        PrivatePath::new(self.directory.path(), name)
            .map_err(|cause| PrivateError::Path { name: name.into(), cause })
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateError::Directory`] if the file cannot be written, for example because the file system is full.
    pub async fn write(&self, path: &PrivatePath, bytes: impl AsRef<[u8]>) -> Result<(), PrivateError> {
        let written = tokio::fs::write(path.as_path(), bytes).await;
        written.map_err(|e| PrivateError::directory("cannot write a private file", e))
    }

    /// Writes a database as a standalone file. A clustered database would connect to its cluster if a server served it
    /// unchanged.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateError::Directory`] if the file cannot be written.
    pub async fn copy(&self, path: &PrivatePath, database: Arc<Database>) -> Result<(), PrivateError> {
        let bytes = tokio::task::spawn_blocking(move || database.to_standalone()).await;
        let bytes =
            bytes.map_err(|e| PrivateError::directory("cannot copy a database", std::io::Error::other(e)))?;
        self.write(path, bytes).await
    }

    /// Reads a database that a program created.
    ///
    /// # Errors
    ///
    /// Returns [`PrivateError::Directory`] if there is no readable database.
    pub async fn read_database(&self, path: &PrivatePath) -> Result<Database, PrivateError> {
        let failed = |e| PrivateError::directory("cannot read a private database", e);
        let bytes = tokio::fs::read(path.as_path()).await.map_err(failed)?;
        Database::open(bytes).map_err(|e| failed(std::io::Error::other(e)))
    }

    /// Starts a program that runs as long as the workshop, and waits until its socket `ready` exists.
    ///
    /// # Errors
    ///
    /// Returns an error if the program ends or is not ready in time.
    pub async fn start(&mut self, argv: &PrivateArgv, ready: &PrivatePath) -> Result<(), PrivateError> {
        let said = self.path(&format!("{}-{}.err", argv.program(), self.daemons.len()))?;
        let daemon = Daemon::start(argv, self.directory.path(), self.memory, said.as_path().into())?;
        self.daemons.push(daemon);
        self.wait_for(ready.as_path(), argv).await
    }

    /// Waits until a program creates this file or socket.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the programs ends, or if it takes too long.
    pub async fn ready(&mut self, path: &PrivatePath, argv: &PrivateArgv) -> Result<(), PrivateError> {
        self.wait_for(path.as_path(), argv).await
    }

    async fn wait_for(&mut self, path: &Path, argv: &PrivateArgv) -> Result<(), PrivateError> {
        while !path.exists() {
            if let Some(error) = self.daemons.iter_mut().find_map(|daemon| daemon.ended(self.memory)) {
                return Err(error);
            }
            if self.since.elapsed() > self.within {
                return Err(self.late(argv));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// Returns an error if the command fails, takes too long or prints too much.
    pub async fn run(&self, argv: &PrivateArgv) -> Result<Output, PrivateError> {
        let rest = self.within.saturating_sub(self.since.elapsed());
        match tokio::time::timeout(rest, process::run(argv, self.directory.path(), self.memory)).await {
            Ok(result) => result,
            Err(_) => Err(self.late(argv)),
        }
    }

    fn late(&self, argv: &PrivateArgv) -> PrivateError {
        PrivateError::TimedOut { command: argv.to_string(), seconds: self.within.as_secs() }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        self.daemons.iter_mut().for_each(Daemon::kill);
        let killed = Instant::now();
        while !self.daemons.iter_mut().all(Daemon::is_gone) && killed.elapsed() < LAST_MOMENT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
