//! The lab as the API server's cluster: its nodes, its pods' networks, its logs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use super::Result;

/// The scripts, wherever cargo was called from.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/lab");

/// A lab that is up.
#[derive(Clone, Debug)]
pub(super) struct Lab {
    dir: PathBuf,
    prefix: String,
}

impl Lab {
    /// The lab in a folder.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        if !dir.join("up").exists() {
            return Err(format!("no lab in {}: `cargo xtask lab up` makes one", dir.display()).into());
        }
        let prefix = std::env::var("LAB_PREFIX").unwrap_or_else(|_| "ovnk-lab".into());
        Ok(Self { dir: dir.to_owned(), prefix })
    }

    /// What the lab is as Kubernetes objects: nodes, pods, services and policies, no more of each than OVN-Kubernetes reads.
    pub(super) fn objects(&self) -> Result<Vec<Value>> {
        let sh = Shell::new()?;
        let dir = &self.dir;
        let yaml = cmd!(sh, "bash {SCRIPTS}/manifests.sh").env("LAB_DIR", dir).quiet().read()?;
        Ok(serde_saphyr::from_multiple(&yaml)?)
    }

    /// The process that holds a node's namespaces.
    pub(super) fn holder(&self, node: &str) -> Option<u32> {
        fs::read_to_string(self.dir.join(node).join("pid")).ok()?.trim().parse().ok()
    }

    /// For each process of a node's pods, by its number: its control group.
    pub(super) fn pods(&self, node: &str) -> PathBuf {
        self.dir.join(node).join("pods")
    }

    /// The network namespace of one of the lab's pods.
    pub(super) fn network(&self, namespace: &str, pod: &str) -> Option<PathBuf> {
        let path = Path::new("/run/netns").join(format!("{}-{namespace}-{pod}", self.prefix));
        path.exists().then_some(path)
    }

    /// The log that a daemon of a node writes, by the container that it would run in, under the names of any packaging.
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

    /// What stands for a node's `/var/log`.
    pub(super) fn logs(&self, node: &str) -> PathBuf {
        self.dir.join(node).join("var/log")
    }
}
