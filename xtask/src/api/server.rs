//! The API server as another process, for tasks that test something with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use xshell::{Shell, TempDir, cmd};

use crate::workspace::{Result, Workspace};

/// A running server and its files. Both are removed when this value is dropped.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    program: PathBuf,
}

impl Server {
    /// Starts a server in front of the lab in a folder.
    pub(crate) fn start(workspace: &Workspace, lab: &Path, arguments: &[&str]) -> Result<Self> {
        let sh = &workspace.sh;
        let folder = sh.create_temp_dir()?;
        let (program, path) = (super::program(workspace)?, folder.path());
        let (kubeconfig, faults) = (path.join("kubeconfig"), path.join("faults.json"));
        let server = cmd!(
            sh,
            "{program} serve --lab {lab} --with-stdin --kubeconfig {kubeconfig} --faults {faults} {arguments...}"
        );
        // The server ends when the pipe closes, however this process ends.
        let mut child = Command::from(server).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the API server has no standard output")?;
        let server = Self { child, folder, program };
        let mut line = String::new();
        if BufReader::new(output).read_line(&mut line)? == 0 {
            return Err("the API server did not start".into());
        }
        Ok(server)
    }

    /// Returns the kubeconfig that clients of the server read.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Sets the faults of the server from the next request on; an empty array removes all faults.
    pub(crate) fn faults(&self, faults: &Value) -> Result {
        // The file is renamed, so that no request reads half of it.
        let new = self.folder.path().join("faults.new");
        fs::write(&new, faults.to_string())?;
        Ok(fs::rename(new, self.folder.path().join("faults.json"))?)
    }

    /// Returns the commands that run in the server's containers, each with its container.
    pub(crate) fn processes(&self) -> Result<Vec<String>> {
        let (sh, program, pid) = (Shell::new()?, &self.program, self.child.id().to_string());
        let listed = cmd!(sh, "{program} running {pid}").quiet().read()?;
        Ok(listed.lines().map(str::to_owned).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        _ = self.child.wait();
    }
}
