//! The unpacked capture: its must-gather, and the output of its OVN version's clients for that must-gather.

use super::{Failed, unpack};
use std::path::PathBuf;
use tempfile::TempDir;

/// An unpacked copy of the capture, which is removed when the value is dropped.
pub struct Capture(TempDir);

impl Capture {
    /// The nodes of the capture and the ovnkube-node pod of each. A must-gather names the databases after the pods.
    pub const NODES: [(&str, &str); 3] = [
        ("ovn-control-plane", "ovnkube-node-mk45n"),
        ("ovn-worker", "ovnkube-node-vwrjk"),
        ("ovn-worker2", "ovnkube-node-pqrlf"),
    ];

    /// Unpacks the capture.
    pub fn unpack() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        unpack("capture/must-gather.tar.xz", &dir.path().join("bundle"))?;
        unpack("capture/ovn-26.03-clients.tar.xz", dir.path())?;
        Ok(Self(dir))
    }

    /// Returns the path of the must-gather, which can be opened as a bundle.
    pub fn bundle(&self) -> PathBuf {
        self.0.path().join("bundle")
    }

    /// Returns the path of a pod's database: `nbdb` or `sbdb`.
    pub fn database(&self, pod: &str, db: &str) -> PathBuf {
        let store = "must-gather.local.4417836294/lab-ovn-kubernetes/network_logs/ovnk_database_store";
        self.bundle().join(store).join(format!("{pod}_{db}"))
    }

    /// Returns the folder with the clients' output for a pod's databases: `nbdb`, `sbdb` and `trace`.
    pub fn printed(&self, pod: &str) -> PathBuf {
        self.0.path().join("ovn-26.03-clients").join(pod)
    }
}
