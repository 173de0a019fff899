//! Reads the lab: its objects, nodes, pod networks and logs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use super::Result;

/// The folder with the lab's scripts, independent of the working directory.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/lab");

/// A running lab.
#[derive(Clone, Debug)]
pub(super) struct Lab {
    dir: PathBuf,
    prefix: String,
}

impl Lab {
    /// Opens the lab in a folder.
    ///
    /// # Errors
    /// If the lab is not up.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        if !dir.join("up").exists() {
            return Err(format!("no lab in {}: run `cargo xtask lab up`", dir.display()).into());
        }
        let prefix = std::env::var("LAB_PREFIX").unwrap_or_else(|_| "ovnk-lab".into());
        Ok(Self { dir: dir.to_owned(), prefix })
    }

    /// Returns the lab as Kubernetes objects: nodes, pods, services and policies with the fields that OVN-Kubernetes
    /// reads.
    pub(super) fn objects(&self) -> Result<Vec<Value>> {
        let sh = Shell::new()?;
        let dir = &self.dir;
        let yaml = cmd!(sh, "bash {SCRIPTS}/manifests.sh").env("LAB_DIR", dir).quiet().read()?;
        Ok(serde_saphyr::from_multiple(&yaml)?)
    }

    /// Returns the ID of the process that holds a node's namespaces.
    pub(super) fn holder(&self, node: &str) -> Option<u32> {
        fs::read_to_string(self.dir.join(node).join("pid")).ok()?.trim().parse().ok()
    }

    /// Returns the folder with a file for each process of a node's pods. The file's name is the process ID, and its
    /// content is the control group.
    pub(super) fn pods(&self, node: &str) -> PathBuf {
        self.dir.join(node).join("pods")
    }

    /// Returns the path of the network namespace of a pod of the lab.
    pub(super) fn network(&self, namespace: &str, pod: &str) -> Option<PathBuf> {
        let path = Path::new("/run/netns").join(format!("{}-{namespace}-{pod}", self.prefix));
        path.exists().then_some(path)
    }

    /// Returns the log file of a node's daemon, by the name of its container in any distribution.
    pub(super) fn log(&self, node: &str, container: &str) -> Option<PathBuf> {
        let file = match container {
            "nb-ovsdb" | "nbdb" => "ovn/ovsdb-server-nb.log",
            "sb-ovsdb" | "sbdb" => "ovn/ovsdb-server-sb.log",
            "ovn-northd" | "northd" => "ovn/ovn-northd.log",
            "ovn-controller" => "ovn/ovn-controller.log",
            "ovs-daemons" => "openvswitch/ovs-vswitchd.log",
            _ => return None,
        };
        let path = self.logs(node).join(file);
        path.exists().then_some(path)
    }

    /// Returns the folder that represents a node's `/var/log`.
    pub(super) fn logs(&self, node: &str) -> PathBuf {
        self.dir.join(node).join("var/log")
    }
}
