//! `cargo xtask lab api --check`: is it an API server? kubectl must think so. Then: what our servers make of its faults.

mod faults;
mod kubectl;

use std::path::Path;

use self::kubectl::Kubectl;
use super::Server;
use crate::workspace::{Result, Workspace};

/// A role that may read pods, and not run anything in them.
const POD_READER: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: pod-reader
rules:
- apiGroups: ['']
  resources: [pods, pods/log]
  verbs: [get, list, watch]
";

/// Tries it, in front of the lab in a folder.
pub(super) fn run(dir: &Path) -> Result {
    let workspace = Workspace::open()?;
    let folder = tempfile::tempdir()?;
    let role = folder.path().join("role.yaml");
    std::fs::write(&role, POD_READER)?;
    let server = Server::start(&workspace.sh, dir, &["--rbac", &role.to_string_lossy()])?;
    let kubectl = Kubectl::install(&workspace, &server.kubeconfig())?;
    kubectl::check(&kubectl)?;
    kubectl::roles(&kubectl)?;
    faults::check(&workspace, &server)
}
