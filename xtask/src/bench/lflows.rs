//! The logical flows of a large southbound database, next to `ovn-sbctl` on a private server of the same file.
//!
//! The outputs differ, because a server's answer is bounded. The work before that is the same: to read the flows and
//! their datapaths.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use xshell::cmd;

use super::measure::{memory, watched};
use super::{Plan, Table, data, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

/// A datapath that every such database has.
const DATAPATH: &str = "ovn_cluster_router";

/// Measures each database.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = workspace.sh.create_temp_dir()?;
    let files = data::southbound(workspace, plan, scratch.path())?;
    // The real client needs a minute for a large database.
    let few = if plan.quick { 1 } else { files.len() };
    files.iter().take(few).try_for_each(|file| one(workspace, plan, file, table))
}

fn one(workspace: &Workspace, plan: &Plan, file: &Path, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let scratch = workspace.sh.create_temp_dir()?;
    // The server takes the node from the file name.
    let copy = scratch.path().join("bench_ovnsb_db.db");
    fs::copy(file, &copy)?;
    let bundle = format!("--bundle={}", scratch.path().display());
    let binary = workspace.target.join(plan.profile).join("mcp-ovn");
    let ours = |what: &str| {
        cmd!(sh, "{binary} {bundle} call ovn_sbctl_lflow_list node_name=bench timeout_seconds=300 {what}")
            .quiet()
    };
    let server = DatabaseServer::start(workspace, file)?;
    let db = format!("--db=unix:{}", server.socket().display());
    let theirs = |of: &[&str]| cmd!(sh, "ovn-sbctl {db} --no-leader-only lflow-list {of...}").quiet();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    table.say(format!("**{name}**, logical flows"), megabytes(fs::metadata(file)?.len()));
    let datapath = format!("datapath={DATAPATH}");
    for (what, ours, theirs) in [
        ("all flows, counted by stage", ours("count=true"), theirs(&[])),
        ("flows of one datapath", ours(&datapath), theirs(&[DATAPATH])),
    ] {
        let both = |(time, memory)| format!("{}, {}", milliseconds(time), megabytes(memory));
        table.say(format!("{what}: a new process, with one answer"), both(watched(ours)?));
        table.say("`ovn-sbctl lflow-list`, with a server that has opened the file", both(watched(theirs)?));
    }
    table.say("memory of the server of `ovn-sbctl`", megabytes(server.memory()));
    Ok(())
}

/// A private server of a copy of a database. No other program reaches it or writes to it.
struct DatabaseServer {
    dir: xshell::TempDir,
    process: Child,
}

impl DatabaseServer {
    fn start(workspace: &Workspace, file: &Path) -> Result<Self> {
        let dir = workspace.sh.create_temp_dir()?;
        let copy = dir.path().join("db");
        fs::copy(file, &copy)?;
        let within = |name: &str| dir.path().join(name).display().to_string();
        let mut server = Command::from(cmd!(workspace.sh, "ovsdb-server"));
        server.args(["--no-chdir", "-vconsole:off", "-vsyslog:off"]);
        server
            .arg(format!("--unixctl={}", within("ctl")))
            .arg(format!("--remote=punix:{}", within("socket")));
        // A server that synchronizes from another server, which never exists here, accepts no changes from clients.
        server.arg(format!("--sync-from=unix:{}", within("never"))).arg(&copy);
        let process = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let served = Self { dir, process };
        let socket = format!("unix:{}", served.socket().display());
        // The server begins to listen when it has read the file.
        for _ in 0..600 {
            let ask = cmd!(workspace.sh, "ovsdb-client --timeout=60 list-dbs {socket}").quiet();
            if ask.ignore_stdout().ignore_stderr().run().is_ok() {
                return Ok(served);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err("ovsdb-server did not open the database within a minute".into())
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn memory(&self) -> u64 {
        memory(self.process.id(), "VmHWM").unwrap_or_default()
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
