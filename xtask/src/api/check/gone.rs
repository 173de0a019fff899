//! Checks that a command ends with its call, whether the client, the call or the server ends first.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::Server;
use super::{GRACE, start, wait};
use crate::mcp::Session;
use crate::workspace::{Result, Workspace};

/// The seconds of the command, more than any check waits: if the command ends in time, it was ended.
const LONG: u64 = 50;

/// The time for a command to begin on a busy machine.
const BEGIN: Duration = Duration::from_secs(30);

/// Begins a call of mcp-kernel whose command runs for a while, and waits until the command runs.
pub(super) fn begin(server: &Server, session: &mut Session, seconds: u64) -> Result<u64> {
    let arguments = json!({ "node_name": "ovn-worker", "seconds": seconds, "timeout_seconds": seconds + 10 });
    let id = session.ask("tools/call", json!({ "name": "conntrack_events", "arguments": arguments }))?;
    wait(BEGIN, || runs(server))?.ok_or("the command of conntrack_events was not seen in any container")?;
    Ok(id)
}

/// Returns whether the command of that call runs. The process that prepares the container also has the command's words,
/// but begins with another word.
pub(super) fn runs(server: &Server) -> Result<bool> {
    Ok(server.processes()?.iter().any(|words| words.contains(": conntrack -E")))
}

/// Waits until the command has ended, and prints the time since then.
pub(super) fn ended(server: &Server, since: Instant, how: &str) -> Result {
    wait(GRACE.saturating_sub(since.elapsed()), || Ok(!runs(server)?))?.ok_or_else(|| {
        format!("{how}: after {:.1?}, these commands still run: {:?}", since.elapsed(), server.processes())
    })?;
    println!("mcp-kernel, {how}: the command was gone after {:.1?}", since.elapsed());
    Ok(())
}

/// Checks each way in which a call can end before its command.
pub(super) fn check(workspace: &Workspace, server: &Server) -> Result {
    let kernel = workspace.layer("mcp-kernel")?;
    let begun = |seconds| -> Result<(Session, u64)> {
        let mut session = start(workspace, server, kernel, &[])?;
        let id = begin(server, &mut session, seconds)?;
        Ok((session, id))
    };
    let (mut session, id) = begun(LONG)?;
    let now = Instant::now();
    session.cancel(id)?;
    ended(server, now, "the call was cancelled")?;
    begin(server, &mut session, LONG)?;
    let now = Instant::now();
    session.hang_up()?;
    ended(server, now, "the client hung up")?;
    let (session, _) = begun(LONG)?;
    let now = Instant::now();
    session.end("TERM")?;
    ended(server, now, "the server got SIGTERM")?;
    // No process is left to end the command, so its own time limit ends it.
    let (session, _) = begun(3)?;
    session.end("KILL")?;
    wait(BEGIN, || Ok(!runs(server)?))?.ok_or("a command outlives its time limit")?;
    println!("mcp-kernel, the server was killed: timeout ended its command");
    Ok(())
}
