//! The cost of a server before its first call: the size of its program, its start, its memory.

use std::fs;
use std::time::{Duration, Instant};

use super::measure::{median, memory};
use super::{Plan, Table, megabytes, milliseconds};
use crate::mcp::{Era, Session};
use crate::workspace::{Result, Workspace};

/// Measures every server.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    for layer in workspace.layers() {
        let binary = workspace.target.join(plan.profile).join(&layer.name);
        let sources = workspace.sources("capture");
        let mut resident = 0;
        let start = median(plan.starts, || {
            let start = Instant::now();
            let mut session = Session::start(&workspace.sh, &binary, &sources, Era::Initialize)?;
            session.open()?;
            let time = start.elapsed();
            resident = memory(session.pid(), "VmRSS").unwrap_or_default();
            session.close()?;
            Ok(time)
        })?;
        let size = fs::metadata(&binary)?.len();
        table.say(format!("**{}**, {}", layer.name, plan.profile), String::new());
        table.aim("start to first reply", milliseconds(start), "< 15 ms", start < Duration::from_millis(15));
        table.aim("memory after the first reply", megabytes(resident), "< 15 MB", resident < 15_000_000);
        table.aim("size of the program", megabytes(size), "< 20 MB", size < 20_000_000);
    }
    Ok(())
}
