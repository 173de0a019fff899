//! `cargo xtask generate`: writes the bundle of a generated cluster.

use std::path::PathBuf;

use clap::Args;
use xshell::cmd;

use crate::workspace::{LAYERS, Result, Workspace};

/// `cargo xtask generate --nodes N [--tenants N] [--seed N] --out DIR`
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Number of nodes, 2 to 250
    #[arg(long)]
    nodes: usize,
    /// Number of tenants, 1 to 120, which decides the size of a zone; the default gives more than 8,000 logical flows
    #[arg(long)]
    tenants: Option<usize>,
    /// Seed of all names and keys; the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Directory to write into, which must be empty or new
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the generator, which is a program of another crate because it writes databases.
pub(crate) fn run(generate: &Generate) -> Result {
    let workspace = Workspace::open()?;
    let Generate { nodes, tenants, seed, out } = generate;
    let out = std::path::absolute(out)?;
    cmd!(workspace.sh, "cargo build --quiet {LAYERS...} --example generate").quiet().run()?;
    let program = workspace.target.join("debug/examples/generate");
    let (nodes, seed) = (nodes.to_string(), seed.to_string());
    let tenants = tenants.map(|tenants| format!("--tenants={tenants}"));
    cmd!(workspace.sh, "{program} --nodes {nodes} --seed {seed} {tenants...} --out {out}").quiet().run()?;
    println!("{}: give it to a server as --bundle", out.display());
    Ok(())
}
