//! A server in the process of a test, which therefore always meets the server that is in the tree.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use clap::ValueEnum;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Flavour, Options, Result, Server};

/// What a test gets, whose errors need not go from thread to thread.
type Tested<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// A server in front of the lab, in a thread of this process. It ends when it is dropped.
pub struct LabApi {
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result>>,
}

impl LabApi {
    /// Starts one in front of the lab that `OVNK_LAB_DIR` names: with the names of a flavour (`upstream`, `openshift`,
    /// `microshift`), and with the ClusterRoles of files as users.
    pub fn start(flavour: &str, roles: &[PathBuf]) -> Tested<Self> {
        let lab = std::env::var_os("OVNK_LAB_DIR").unwrap_or_else(|| "/var/lib/ovnk-lab".into());
        let folder = tempfile::tempdir()?;
        let options = Options {
            kubeconfig: folder.path().join("kubeconfig"),
            port: 0,
            flavour: Flavour::from_str(flavour, false)?,
            rbac: roles.to_vec(),
            kinds: None,
            faults: Some(folder.path().join("faults")),
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        // A thread and a runtime of its own: the test may have a runtime that blocks, or several.
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let outcome = runtime.block_on(async {
                let server = Server::bind(Path::new(&lab), &options).await?;
                _ = ready.send(());
                server.serve(async { _ = stopped.await }).await
            });
            runtime.shutdown_background();
            outcome
        });
        let server = Self { folder, stop: Some(stop), thread: Some(thread) };
        match is_ready.recv() {
            Ok(()) => Ok(server),
            Err(_) => {
                server.end()?;
                Err("the API server of the lab ended at once".into())
            }
        }
    }

    /// The kubeconfig that finds it. `admin` is the context that may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Has it behave badly from the next request on, or well again with an empty array: `docs/lab.md`.
    pub fn faults(&self, faults: &Value) -> Tested {
        // Renamed, so that no request meets half of it.
        let (new, file) = (self.folder.path().join("new"), self.folder.path().join("faults"));
        fs::write(&new, faults.to_string())?;
        Ok(fs::rename(new, file)?)
    }

    fn end(mut self) -> Tested {
        self.stop().map_err(|error| error as Box<dyn Error>)
    }

    fn stop(&mut self) -> Result {
        drop(self.stop.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err("the API server of the lab panicked".into()),
            None => Ok(()),
        }
    }
}

impl Drop for LabApi {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the API server of the lab: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_start_says_why() {
        let why =
            |flavour| LabApi::start(flavour, &["/nonexistent/role.yaml".into()]).err().unwrap().to_string();
        assert!(why("cilium").contains("cilium"), "{}", why("cilium"));
        let missing = why("upstream");
        // Which of the two is missing first depends on whether a lab is up.
        assert!(missing.contains("no lab in") || missing.contains("/nonexistent/role.yaml"), "{missing}");
    }
}
