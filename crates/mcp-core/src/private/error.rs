//! Why a program gave no answer in private.

use crate::argv::BadPrivatePath;
use std::io;

/// Why a program that was to work on a copy of a bundle's data gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// It is not installed where the server runs.
    #[error("{program} is not installed where this server runs")]
    NotInstalled {
        /// The program.
        program: String,
        /// What brings it: `ovn-common on Debian, ovn on Fedora`.
        package: &'static str,
    },
    /// It does not know what newer versions wrote, so what it would say may be wrong.
    #[error("unknown: {program} here is {has}, and the data needs {needs} or newer")]
    TooOld {
        /// The program.
        program: String,
        /// Which version it is.
        has: String,
        /// Which version it would have to be.
        needs: String,
    },
    /// It ran, but did not understand all of the data.
    #[error("unknown: {program} here is {has} and does not understand the data: {said}")]
    NotUnderstood {
        /// The program.
        program: String,
        /// Which version it is.
        has: String,
        /// What it said.
        said: String,
    },
    /// It needs more memory than it may have.
    #[error("{program} needs more than the {limit} bytes of memory that it may have")]
    Memory {
        /// The program.
        program: String,
        /// The limit on its address space.
        limit: u64,
    },
    /// It ended with an error.
    #[error("`{command}` failed in private with exit status {status}: {stderr}")]
    Failed {
        /// The command.
        command: String,
        /// Its exit status; `128 + n` for a death by signal n.
        status: i32,
        /// What it said.
        stderr: String,
    },
    /// It took too long and was ended.
    #[error("`{command}` did not finish in private within {seconds} s")]
    TimedOut {
        /// The command.
        command: String,
        /// How long the whole call may take.
        seconds: u64,
    },
    /// It printed more than a server may hold in memory.
    #[error("the output of `{command}` is larger than {limit} bytes")]
    TooLarge {
        /// The command.
        command: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A name cannot be that of a private file.
    #[error("`{name}` cannot be the name of a private file")]
    Path {
        /// The name.
        name: String,
        /// Why.
        #[source]
        cause: BadPrivatePath,
    },
    /// The private directory, or something in it, cannot be made or read.
    #[error("{what}")]
    Directory {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        cause: io::Error,
    },
}

impl PrivateError {
    pub(crate) fn directory(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Directory { what: what.into(), cause }
    }

    /// One sentence on what to do instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NotInstalled { package, .. } => {
                format!("Install it (package {package}) where the server runs, or ask a live node.")
            }
            Self::TooOld { .. } | Self::NotUnderstood { .. } => {
                "Run the server where that version is installed (the image of the cluster's own ovnkube-node has it), or ask a live node.".into()
            }
            Self::Memory { .. } => "Look at the flows one table at a time instead.".into(),
            Self::TimedOut { .. } => "Raise timeout_seconds: the larger the database, the longer it is read.".into(),
            Self::Failed { .. } => "Read what the program said; the other tools can still be asked.".into(),
            Self::TooLarge { .. } => "Ask for less.".into(),
            Self::Path { .. } => "The other tools can still be asked.".into(),
            Self::Directory { .. } => {
                "The server needs a temporary directory of its own: give TMPDIR one that it can write to, with a short name.".into()
            }
        }
    }
}
