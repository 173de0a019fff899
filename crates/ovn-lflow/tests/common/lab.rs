//! The lab, and what `xtask/lab/networks.sh` adds to it for a test.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

/// The nodes of the lab.
pub(crate) const NODES: [&str; 2] = ["ovn-worker", "ovn-worker2"];

pub(crate) fn dir() -> PathBuf {
    std::env::var_os("OVNK_LAB_DIR").map_or_else(|| "/var/lib/ovnk-lab".into(), PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "a test runs the real programs")]
pub(crate) fn program(name: &str) -> Command {
    Command::new(name)
}

/// Returns what a program prints.
pub(crate) fn printed(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn script(name: &str, argument: &str) -> Result<String, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/lab").join(name);
    printed(program("bash").arg(script).arg(argument).env("LAB_DIR", dir()))
}

/// Sends traffic that fills the tables whose entries expire soon: neighbours of tunnels and gateways.
pub(crate) fn warm() -> Result<(), Box<dyn Error>> {
    script("warm.sh", "").map(drop)
}

/// The user-defined networks and the template of the lab. They are removed when this value is dropped, so that other
/// tests see the usual lab.
pub(crate) struct Networks(());

impl Networks {
    pub(crate) fn up() -> Result<Self, Box<dyn Error>> {
        // The value is made first, so that networks that come up only partly are removed as well.
        let networks = Self(());
        script("networks.sh", "up").map_err(|error| format!("no networks (cargo xtask lab up): {error}"))?;
        Ok(networks)
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        _ = script("networks.sh", "down");
    }
}
