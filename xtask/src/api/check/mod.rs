//! `cargo xtask lab api --check`: checks the API server of the lab with kubectl, and then our servers on it, with and
//! without faults.

mod answers;
mod columns;
mod debug;
mod faults;
mod gone;
mod kubectl;
mod rights;
mod ways;

use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use self::kubectl::Kubectl;
use super::Server;
use crate::installed;
use crate::mcp::{Era, Session};
use crate::workspace::{Crate, Result, Workspace};

/// A role that may read pods, and may not run anything in them.
const POD_READER: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: pod-reader
rules:
- apiGroups: ['']
  resources: [pods, pods/log]
  verbs: [get, list, watch]
";

/// The time that a command may outlive its call.
const GRACE: Duration = Duration::from_secs(5);

/// Checks the API server in front of the lab in a folder.
pub(super) fn run(dir: &Path) -> Result {
    let workspace = Workspace::open()?;
    workspace.build_layers()?;
    installed::of_python(&workspace, "kubectl")?;
    // The answers are compared while nothing else changes the lab.
    answers::check(&workspace, dir)?;
    // The other parts wait for most of their time, and each has its own API server. So they run at the same time.
    let parts: [fn(&Path) -> Result; 2] = [faulty, allowed];
    let told = std::thread::scope(|scope| {
        let parts = parts.map(|part| scope.spawn(move || part(dir).map_err(|error| error.to_string())));
        parts.map(|part| part.join().unwrap_or_else(|_| Err("a check panicked".into())))
    });
    told.into_iter().collect::<std::result::Result<Vec<()>, _>>()?;
    Ok(())
}

/// Checks the API server with kubectl, and our servers when requests, nodes, commands or pods fail.
fn faulty(dir: &Path) -> Result {
    let workspace = Workspace::open()?;
    let folder = workspace.sh.create_temp_dir()?;
    let role = folder.path().join("role.yaml");
    std::fs::write(&role, POD_READER)?;
    let server = Server::start(&workspace, dir, &["--rbac", &role.to_string_lossy()])?;
    let kubectl = Kubectl::install(&workspace, &server.kubeconfig())?;
    kubectl::check(&kubectl)?;
    kubectl::roles(&kubectl)?;
    columns::check(&workspace, &server, &kubectl)?;
    ways::check(&workspace, &server)?;
    faults::check(&workspace, &server)?;
    gone::check(&workspace, &server)?;
    debug::check(&workspace, &server, &kubectl)
}

/// Checks the rights of our servers.
fn allowed(dir: &Path) -> Result {
    let workspace = Workspace::open()?;
    let folder = workspace.sh.create_temp_dir()?;
    rights::check(&workspace, dir, folder.path())
}

/// Starts one of our servers with the API server as its source.
fn start(workspace: &Workspace, server: &Server, layer: &Crate, more: &[&str]) -> Result<Session> {
    let kubeconfig = format!("--kubeconfig={}", server.kubeconfig().display());
    let words: Vec<String> =
        std::iter::once(kubeconfig).chain(more.iter().map(|word| (*word).into())).collect();
    let mut session = Session::start(&workspace.sh, &workspace.binary(layer), &words, Era::Initialize)?;
    session.open()?;
    Ok(session)
}

/// Returns the time until the condition held, or `None` if the time limit was over first.
fn wait(longest: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<Option<Duration>> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > longest {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Some(begun.elapsed()))
}
