//! `cargo xtask lab api`: the Kubernetes API server in front of the lab (the crate `lab-api`), and a check of that
//! server.

mod check;
mod server;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

pub(crate) use self::check::Kubectl;
pub(crate) use self::server::Server;

/// `cargo xtask lab api`
#[derive(Debug, Args)]
pub(crate) struct Api {
    /// Start a server and check that kubectl and our servers work with it, instead of serving
    #[arg(long)]
    check: bool,
    /// Options of `lab-api serve`, such as --kubeconfig FILE; `--help` after `--` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Becomes the server, or checks one.
pub(crate) fn run(dir: &Path, api: &Api) -> Result {
    if api.check {
        return check::run(dir);
    }
    let workspace = Workspace::open()?;
    let (program, options) = (program(&workspace)?, &api.options);
    Err(Command::from(cmd!(workspace.sh, "{program} serve --lab {dir} {options...}")).exec().into())
}

/// Returns the program, built from the current source tree.
fn program(workspace: &Workspace) -> Result<PathBuf> {
    cmd!(workspace.sh, "cargo build --quiet --package lab-api --bin lab-api").quiet().run()?;
    Ok(workspace.target.join("debug/lab-api"))
}
