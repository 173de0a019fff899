//! Runs a server in the process of a test, so that a test always uses the server of the current source tree.

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

/// The result type for tests. Its errors need not be `Send`.
type TestResult<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// A server in front of the lab, in a thread of this process. It ends when this value is dropped.
pub struct LabApi {
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result>>,
}

impl LabApi {
    /// Starts a server in front of the lab in the folder `OVNK_LAB_DIR`. `flavour` is `upstream`, `openshift` or
    /// `microshift`, and each ClusterRole in the files of `roles` becomes a user.
    ///
    /// # Errors
    /// If the flavour is unknown, the lab is not up, or a file cannot be read.
    pub fn start(flavour: &str, roles: &[PathBuf]) -> TestResult<Self> {
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
        // The server has its own thread and runtime, because the runtime of a test can block.
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
                Err("the API server of the lab ended during its start".into())
            }
        }
    }

    /// Returns the path of the kubeconfig. Its context `admin` has all rights.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Sets the faults from the next request on. An empty array removes all faults. `docs/lab.md` describes them.
    pub fn faults(&self, faults: &Value) -> TestResult {
        // The file is renamed into place, so that no request reads half of it.
        let (new, file) = (self.folder.path().join("new"), self.folder.path().join("faults"));
        fs::write(&new, faults.to_string())?;
        Ok(fs::rename(new, file)?)
    }

    fn end(mut self) -> TestResult {
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
        // Which of the two errors comes first depends on whether a lab is up.
        assert!(missing.contains("no lab in") || missing.contains("/nonexistent/role.yaml"), "{missing}");
    }
}
