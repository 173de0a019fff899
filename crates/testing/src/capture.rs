//! The unpacked capture: its must-gather, and the output of its OVN version's clients for that must-gather.

use super::{Failed, unpack};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
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

    /// Unpacks the capture for a test that changes its databases: without the archive that also has the databases.
    pub fn unpack_to_change() -> Result<Self, Failed> {
        let capture = Self::unpack()?;
        let packed =
            capture.database(Self::NODES[0].1, "nbdb").with_file_name("../ovnk_database_store.tar.gz");
        std::fs::remove_file(packed)?;
        Ok(capture)
    }

    /// Changes a database with the real ovsdb-tool. The operations must change a row.
    pub fn transact(database: &Path, schema: &str, operations: &[Value]) -> Result<(), Failed> {
        let mut transaction = vec![json!(schema)];
        transaction.extend_from_slice(operations);
        #[expect(clippy::disallowed_methods, reason = "a test makes its own data with the real program")]
        let mut tool = std::process::Command::new("ovsdb-tool");
        let output = tool.arg("transact").arg(database).arg(Value::from(transaction).to_string()).output()?;
        let reply = String::from_utf8(output.stdout)?;
        let good = output.status.success() && !reply.contains("\"error\"") && !reply.contains("\"count\":0");
        assert!(good, "{reply}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
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
