//! Programs that work on a copy of a bundle's data: `ovn-trace`, `ofproto/trace` and the daemons that these ask.
//!
//! A [`Workshop`] is a private directory and the programs that run in it, for one call of a tool. It can touch nothing else:
//! its commands come from a table of their own ([`PrivateAllow`](crate::argv::PrivateAllow)), paths on them are of this
//! directory ([`PrivatePath`](crate::argv::PrivatePath)), and no backend is given them. Nothing of it is left:
//!
//! - At the end of the call, and when it fails, is cancelled or the server stops in good order, dropping the workshop
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

/// How often it is looked whether a daemon is ready.
const PAUSE: Duration = Duration::from_millis(5);
/// How long dropping a workshop waits for killed programs to be gone, so that none writes to what is being removed.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// A private directory and the programs that run in it.
#[derive(Debug)]
pub struct Workshop {
    // Dropped in this order, and after `drop` has ended the daemons.
    daemons: Vec<Daemon>,
    directory: Directory,
    memory: u64,
    within: Duration,
    since: Instant,
}

impl Workshop {
    /// What a program may have of address space when its layer knows no better, in bytes.
    pub const MEMORY: u64 = 6_000_000_000;

    /// An empty workshop, whose programs have so much time together, and each so many bytes of address space.
    ///
    /// # Errors
    /// [`PrivateError::Directory`] if there is no temporary directory to work in.
    pub fn open(within: Duration, memory: u64) -> Result<Self, PrivateError> {
        let directory =
            Directory::make().map_err(|e| PrivateError::directory("cannot make a private directory", e))?;
        Ok(Self { daemons: Vec::new(), directory, memory, within, since: Instant::now() })
    }

    /// Removes what servers left that were killed: every server does so when it starts. It says how many directories
    /// there were.
    pub fn sweep() -> usize {
        directory::sweep()
    }

    /// Is this program there? To be asked before any work is done for it.
    ///
    /// # Errors
    /// [`PrivateError::NotInstalled`], with what would bring it.
    pub fn need(program: &str, package: &'static str) -> Result<(), PrivateError> {
        match process::find(program) {
            Some(_) => Ok(()),
            None => Err(PrivateError::NotInstalled { program: program.into(), package }),
        }
    }

    /// Where a file or socket of this name is or will be.
    ///
    /// # Errors
    /// [`PrivateError::Path`] if it would be outside the directory, or too long for a socket.
    pub fn path(&self, name: &str) -> Result<PrivatePath, PrivateError> {
        PrivatePath::new(self.directory.path(), name)
            .map_err(|cause| PrivateError::Path { name: name.into(), cause })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`PrivateError::Directory`] if that is not possible: the file system is full.
    pub async fn write(&self, path: &PrivatePath, bytes: impl AsRef<[u8]>) -> Result<(), PrivateError> {
        let written = tokio::fs::write(path.as_path(), bytes).await;
        written.map_err(|e| PrivateError::directory("cannot write a private file", e))
    }

    /// Writes a database as a standalone file: a clustered one, served as it is, would call its cluster.
    ///
    /// # Errors
    /// [`PrivateError::Directory`] if that is not possible.
    pub async fn copy(&self, path: &PrivatePath, database: Arc<Database>) -> Result<(), PrivateError> {
        let bytes = tokio::task::spawn_blocking(move || database.to_standalone()).await;
        let bytes =
            bytes.map_err(|e| PrivateError::directory("cannot copy a database", std::io::Error::other(e)))?;
        self.write(path, bytes).await
    }

    /// Reads a database that a program has made.
    ///
    /// # Errors
    /// [`PrivateError::Directory`] if there is none.
    pub async fn read_database(&self, path: &PrivatePath) -> Result<Database, PrivateError> {
        let failed = |e| PrivateError::directory("cannot read a private database", e);
        let bytes = tokio::fs::read(path.as_path()).await.map_err(failed)?;
        Database::open(bytes).map_err(|e| failed(std::io::Error::other(e)))
    }

    /// Starts a program that runs as long as the workshop, and waits until this socket of it is there.
    ///
    /// # Errors
    /// If it ends, or is not ready in time.
    pub async fn start(&mut self, argv: &PrivateArgv, ready: &PrivatePath) -> Result<(), PrivateError> {
        let said = self.path(&format!("{}-{}.err", argv.program(), self.daemons.len()))?;
        let daemon = Daemon::start(argv, self.directory.path(), self.memory, said.as_path().into())?;
        self.daemons.push(daemon);
        self.wait_for(ready.as_path(), argv).await
    }

    /// Waits until something makes this file or socket.
    ///
    /// # Errors
    /// If one of the programs ends, or it takes too long.
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
    /// If it fails, takes too long or prints too much.
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
