//! The cost of a call on a cluster, next to the round trip of the command that it runs.
//!
//! The API server is the lab's, so the network costs nothing: the difference is the cost of client, protocol and
//! server.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use xshell::cmd;

use super::measure::middle;
use super::{Plan, Table, milliseconds};
use crate::api::{Kubectl, Server};
use crate::mcp::{Era, Session};
use crate::workspace::{Result, Workspace};

/// A tool that runs exactly one command, and the command.
const TOOL: &str = "ip_addr_show";
const COMMAND: &[&str] = &["ip", "-d", "address"];

/// Measures the same command in three ways, alternately.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let lab = std::env::var_os("OVNK_LAB_DIR").map_or_else(|| PathBuf::from("/var/lib/ovnk-lab"), Into::into);
    table.say(format!("**a call over an API server**, `{}`", COMMAND.join(" ")), String::new());
    if !lab.join("up").exists() {
        table.say("not measured", format!("no lab in {} (cargo xtask lab up)", lab.display()));
        return Ok(());
    }
    let server = Server::start(workspace, &lab, &[])?;
    let kubectl = Kubectl::install(workspace, &server.kubeconfig())?;
    let binary = workspace.target.join(plan.profile).join("mcp-kernel");
    let source = [format!("--kubeconfig={}", server.kubeconfig().display())];
    let mut session = Session::start(&workspace.sh, &binary, &source, Era::Initialize)?;
    session.open()?;
    let asked = json!({ "node_name": "ovn-worker" });
    let answer = session.call(TOOL, &asked)?.map_err(|error| format!("{TOOL}: {error}"))?;
    let place = ExecContainer::of(&session.evidence(&answer)?)?;
    let mut bare = BareExec::start(workspace, plan, &server, &place)?;
    let words = place.kubectl();
    let (mut alone, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.starts {
        alone.push(bare.run()?);
        ours.push(timed(|| session.call(TOOL, &asked)?.map(drop).map_err(Into::into))?);
        theirs.push(timed(|| kubectl.expect("admin", &words, "", 0, &["inet"]).map(drop))?);
    }
    session.close()?;
    let (alone, ours, theirs) = (middle(alone)?, middle(ours)?, middle(theirs)?);
    table.say("bare exec: TLS, WebSocket, the command, its status", milliseconds(alone));
    table.say(format!("{TOOL} of a connected server"), milliseconds(ours));
    table.say("additional time of a call", milliseconds(ours.saturating_sub(alone)));
    table.say("`kubectl exec` of the same command", milliseconds(theirs));
    Ok(())
}

fn timed(run: impl FnOnce() -> Result) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

/// The container in which a tool's command ran.
struct ExecContainer {
    namespace: String,
    pod: String,
    container: String,
}

impl ExecContainer {
    /// Reads the container from the evidence of an answer, which must name the command and no other command.
    fn of(evidence: &str) -> Result<Self> {
        let reads: Vec<&str> = evidence.lines().filter_map(|line| line.strip_prefix("- ")).collect();
        let place = || {
            let [read] = reads.as_slice() else { return None };
            let (container, rest) =
                read.strip_prefix(&COMMAND.join(" "))?.strip_prefix(" in ")?.split_once(" of ")?;
            let (namespace, pod) = rest.split_once(',')?.0.split_once('/')?;
            Some(Self { namespace: namespace.into(), pod: pod.into(), container: container.into() })
        };
        place()
            .ok_or_else(|| format!("{TOOL} does not run exactly `{}`: {evidence}", COMMAND.join(" ")).into())
    }

    fn kubectl(&self) -> Vec<&str> {
        let to = ["-n", &self.namespace, "exec", &self.pod, "-c", &self.container, "--"];
        to.iter().chain(COMMAND).copied().collect()
    }
}

/// The client of `lab-api` that does only an exec.
struct BareExec {
    child: Child,
    /// Is `None` when the client is to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl BareExec {
    fn start(workspace: &Workspace, plan: &Plan, server: &Server, place: &ExecContainer) -> Result<Self> {
        let program = workspace.target.join(plan.profile).join("examples/bare_exec");
        let (kubeconfig, ExecContainer { namespace, pod, container }) = (server.kubeconfig(), place);
        let bare = cmd!(workspace.sh, "{program} {kubeconfig} {namespace} {pod} {container} {COMMAND...}");
        let mut child = Command::from(bare).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("bare_exec has no standard output")?);
        Ok(Self { child, input, output })
    }

    /// Returns the time of one exec.
    fn run(&mut self) -> Result<Duration> {
        self.input.as_mut().ok_or("bare_exec has no standard input")?.write_all(b"\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(Duration::from_nanos(
            line.trim().parse().map_err(|_| format!("bare_exec printed `{line}`, which is not a number"))?,
        ))
    }
}

impl Drop for BareExec {
    fn drop(&mut self) {
        drop(self.input.take());
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_in_the_evidence() {
        let read = "ip_addr_show {}\n\nRead from n:\n- ip -d address in a of b/c-1, 2026-11-22T22:21:57Z\n";
        let place = ExecContainer::of(read).unwrap();
        assert_eq!(place.kubectl(), ["-n", "b", "exec", "c-1", "-c", "a", "--", "ip", "-d", "address"]);
        let other = format!("{read}- ip link in a of b/c-1, 2026-11-22T22:21:57Z\n");
        assert!(ExecContainer::of(&other).is_err());
    }
}
