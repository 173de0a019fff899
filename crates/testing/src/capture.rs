//! The capture, unpacked: its must-gather, and what the clients of its OVN version print on that.

use super::{Failed, unpack};
use std::path::PathBuf;
use tempfile::TempDir;

/// A copy of the capture. It goes with this.
pub struct Capture(TempDir);

impl Capture {
    /// Its nodes, and the ovnkube-node pod of each, after which a must-gather names their databases.
    pub const NODES: [(&str, &str); 3] = [
        ("ovn-control-plane", "ovnkube-node-mk45n"),
        ("ovn-worker", "ovnkube-node-vwrjk"),
        ("ovn-worker2", "ovnkube-node-pqrlf"),
    ];

    /// Unpacks it.
    pub fn unpack() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        unpack("capture/must-gather.tar.xz", &dir.path().join("bundle"))?;
        unpack("capture/ovn-26.03-clients.tar.xz", dir.path())?;
        Ok(Self(dir))
    }

    /// The must-gather, to be opened as a bundle.
    pub fn bundle(&self) -> PathBuf {
        self.0.path().join("bundle")
    }

    /// The file of a pod's database: `nbdb` or `sbdb`.
    pub fn database(&self, pod: &str, db: &str) -> PathBuf {
        let store = "must-gather.local.4417836294/lab-ovn-kubernetes/network_logs/ovnk_database_store";
        self.bundle().join(store).join(format!("{pod}_{db}"))
    }

    /// What the clients print on a pod's databases: `nbdb`, `sbdb` and `trace`.
    pub fn printed(&self, pod: &str) -> PathBuf {
        self.0.path().join("ovn-26.03-clients").join(pod)
    }
}
