//! The errors of programs that work on a copy of a bundle's data.

use crate::argv::BadPrivatePath;
use std::io;

/// The reason why a program that works on a copy of a bundle's data gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The program is not installed where the server runs.
    #[error("{program} is not installed where this server runs")]
    NotInstalled {
        /// The name of the program.
        program: String,
        /// The packages that contain the program: `ovn-common on Debian, ovn on Fedora`.
        package: &'static str,
    },
    /// The program is older than the data, so its answer could be wrong.
    #[error("unknown: {program} on this host is {has}, and the data needs {needs} or newer")]
    TooOld {
        /// The name of the program.
        program: String,
        /// The installed version.
        has: String,
        /// The required version.
        needs: String,
    },
    /// The program ran but did not understand all of the data.
    #[error("unknown: {program} on this host is {has} and does not understand the data: {said}")]
    NotUnderstood {
        /// The name of the program.
        program: String,
        /// The installed version.
        has: String,
        /// The error message of the program.
        said: String,
    },
    /// The program needs more memory than its limit.
    #[error("{program} needs more memory than its limit of {limit} bytes")]
    Memory {
        /// The name of the program.
        program: String,
        /// The limit of its address space in bytes.
        limit: u64,
    },
    /// The program ended with an error.
    #[error("`{command}`, run on a copy of the data, failed with exit status {status}: {stderr}")]
    Failed {
        /// The command.
        command: String,
        /// The exit status; `128 + n` if signal n ended the command.
        status: i32,
        /// The standard error of the command.
        stderr: String,
    },
    /// The command took too long and was ended.
    #[error("`{command}`, run on a copy of the data, did not finish within {seconds} s")]
    TimedOut {
        /// The command.
        command: String,
        /// The time limit of the whole call in seconds.
        seconds: u64,
    },
    /// The command printed more than the server keeps in memory.
    #[error("the output of `{command}` is larger than {limit} bytes")]
    TooLarge {
        /// The command.
        command: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The name is not valid for a private file.
    #[error("`{name}` cannot be the name of a private file")]
    Path {
        /// The name.
        name: String,
        /// The reason.
        #[source]
        cause: BadPrivatePath,
    },
    /// The private directory, or a file in it, cannot be created or read.
    #[error("{what}")]
    Directory {
        /// The operation that failed.
        what: String,
        /// The cause of the failure.
        #[source]
        cause: io::Error,
    },
}

impl PrivateError {
    pub(crate) fn directory(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Directory { what: what.into(), cause }
    }

    /// Returns a sentence on what to do instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NotInstalled { package, .. } => {
                format!("Install the package {package} where the server runs, or use a live source.")
            }
            Self::TooOld { .. } | Self::NotUnderstood { .. } => {
                "Run the server where that version is installed (the cluster's own ovnkube-node image has it), or use a live source.".into()
            }
            Self::Memory { .. } => "List the flows of one table at a time instead.".into(),
            Self::TimedOut { .. } => "Raise timeout_seconds; a large database takes long to read.".into(),
            Self::Failed { .. } => "Read the program's error message. The other tools still work.".into(),
            Self::TooLarge { .. } => "Narrow the question.".into(),
            Self::Path { .. } => "Use the other tools, which still work.".into(),
            Self::Directory { .. } => {
                "The server needs a temporary directory: set TMPDIR to a writable directory with a short path.".into()
            }
        }
    }
}
