//! `cargo xtask golden`: the answers of the tools against their snapshots, in every layer or in one.

use clap::Args;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

/// `cargo xtask golden [--accept] [-p CRATE]`
#[derive(Debug, Args)]
pub(crate) struct Golden {
    /// Take the answers of today as the right ones; read the diff before you commit it
    #[arg(long)]
    accept: bool,
    /// Only this crate
    #[arg(short, long, value_name = "CRATE")]
    package: Option<String>,
}

/// Runs the golden tests of the layers.
pub(crate) fn run(golden: &Golden) -> Result {
    let workspace = Workspace::open()?;
    // All together as the tests build them: other features of what they depend on would build that anew.
    let which = match &golden.package {
        Some(name) => vec!["--package", &workspace.layer(name)?.name],
        None => vec!["--workspace"],
    };
    let test = cmd!(workspace.sh, "cargo test {which...} --test golden");
    let test = if golden.accept {
        test.env("INSTA_UPDATE", "always").env("INSTA_FORCE_PASS", "1")
    } else {
        test.env("INSTA_UPDATE", "no")
    };
    test.run().map_err(
        |_| "answers differ from their snapshots; if the new ones are right: cargo xtask golden --accept",
    )?;
    Ok(())
}
