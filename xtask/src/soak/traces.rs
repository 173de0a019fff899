//! Compares many more traces with the real ovn-trace than the tests do.

use std::path::Path;

use xshell::cmd;

use crate::workspace::{Result, Workspace};

/// Runs the test with many packets for the daemon, and with fewer packets that need a process each.
pub(super) fn compare(
    workspace: &Workspace,
    lab: &Path,
    packets: usize,
    processes: usize,
    seed: u64,
) -> Result {
    let (packets, processes, seed) = (packets.to_string(), processes.to_string(), seed.to_string());
    let test = cmd!(workspace.sh, "cargo test --workspace --test differential -- --include-ignored");
    let test = test.env("OVNK_LAB_DIR", lab).env("OVNK_SEED", seed);
    Ok(test.env("OVNK_PACKETS", packets).env("OVNK_PROCESSES", processes).run()?)
}
