//! `cargo xtask golden`: compares the answers of the tools with their snapshots, in every layer or in one.

use clap::Args;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

/// `cargo xtask golden [--accept] [-p CRATE]`
#[derive(Debug, Args)]
pub(crate) struct Golden {
    /// Accept the current answers as correct; read the diff before you commit it
    #[arg(long)]
    accept: bool,
    /// Run only the cases of this crate
    #[arg(short, long, value_name = "CRATE")]
    package: Option<String>,
}

/// Runs the golden tests of the layers.
pub(crate) fn run(golden: &Golden) -> Result {
    let workspace = Workspace::open()?;
    // All packages are built together, as the tests build them. With other features, cargo would build their
    // dependencies again.
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
        |_| "answers differ from their snapshots; if the new answers are correct, run cargo xtask golden --accept",
    )?;
    Ok(())
}
