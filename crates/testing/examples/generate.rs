//! Writes a generated cluster: `cargo xtask generate --nodes 50 --out DIR`.

use clap::Parser;
use mcp_testing::{Failed, Generator};
use std::path::PathBuf;

/// Writes a bundle of a generated cluster
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of nodes, 2 to 250
    #[arg(long)]
    nodes: usize,
    /// Number of tenants, 1 to 120, which decides the size of a zone
    #[arg(long, default_value_t = Generator::TENANTS)]
    tenants: usize,
    /// Seed of all names and keys; the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Directory to write into, which must be empty or new
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<(), Failed> {
    let Arguments { nodes, tenants, seed, out } = Arguments::parse();
    Generator { nodes, tenants, seed }.write(&out)
}
