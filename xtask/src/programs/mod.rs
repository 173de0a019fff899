//! `cargo xtask programs`: watches every server with strace(1) and checks the programs that it starts.
//!
//! Over a bundle, no server starts a program. In the lab, a server that gets hostile arguments starts only the commands
//! that its reference lists, and nothing changes a file.

mod allowed;
mod bundles;
mod live;
mod trace;

use std::path::PathBuf;

use clap::Args;

pub(crate) use self::live::attack;
use crate::workspace::{Result, Workspace};

/// `cargo xtask programs`
#[derive(Debug, Args)]
pub(crate) struct Programs {
    /// Watch the servers in this lab, with hostile arguments, instead of over the bundles
    #[arg(long, value_name = "DIR")]
    lab: Option<PathBuf>,
    /// Number of hostile values for each parameter of each tool
    #[arg(long, default_value_t = 3, requires = "lab")]
    values: usize,
    /// Seed of an earlier run, to repeat its calls
    #[arg(long, default_value_t = 1, requires = "lab")]
    seed: u64,
}

/// Watches all servers.
pub(crate) fn run(programs: &Programs) -> Result {
    let workspace = Workspace::open()?;
    workspace.build_layers()?;
    match &programs.lab {
        Some(lab) => attack(&workspace, lab, programs.values, programs.seed),
        None => bundles::run(&workspace),
    }
}
