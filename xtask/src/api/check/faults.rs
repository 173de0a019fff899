//! A server on a cluster's bad days: it says within its time-out what happened, it stays up, and it leaves nothing behind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Server;
use crate::mcp::{self, Era, Session};
use crate::workspace::{Crate, Result, Workspace};

/// Of the calls below.
const TIME_OUT: Duration = Duration::from_secs(5);

/// How long a command of a cancelled call may still run.
const GRACE: Duration = Duration::from_secs(5);

/// Something that happens to requests, and what the answer says of it. An answer can be one nevertheless.
struct Case {
    fault: fn() -> Value,
    says: &'static [&'static str],
    answers: bool,
    within: Duration,
}

const fn fails(fault: fn() -> Value, says: &'static [&'static str]) -> Case {
    Case { fault, says, answers: false, within: TIME_OUT }
}

const fn answers(fault: fn() -> Value, says: &'static [&'static str]) -> Case {
    Case { fault, says, answers: true, within: TIME_OUT }
}

const CASES: &[Case] = &[
    answers(|| json!([{ "path": "/exec", "slow_ms": 700 }]), &["GR_ovn-worker"]),
    fails(|| json!([{ "path": "/exec", "hang": true }]), &["5 s"]),
    fails(|| json!([{ "path": "/exec", "status": 403 }]), &["403", "pods/exec", "ovn-kubernetes"]),
    fails(|| json!([{ "path": "/exec", "status": 404 }]), &["404"]),
    fails(|| json!([{ "path": "/exec", "status": 429 }]), &["429"]),
    fails(|| json!([{ "path": "/exec", "status": 500 }]), &["500"]),
    fails(|| json!([{ "path": "/exec", "status": 503 }]), &["503"]),
    fails(|| json!([{ "path": "/exec", "cut_after": 100 }]), &["connection"]),
    answers(
        || json!([{ "restarting": "ovn-kubernetes/ovnkube-node-k7xwd/nb-ovsdb" }]),
        &["GR_ovn-worker", "nb-ovsdb", "CrashLoopBackOff"],
    ),
    fails(|| json!([{ "path": "/api", "status": 503 }]), &["503"]),
    fails(|| json!([{ "path": "/api", "status": 403 }]), &["403", "list"]),
    fails(|| json!([{ "path": "/pods?", "hang": true }]), &["5 s"]),
    // To find the nodes has a time-out of its own: no node's call has begun.
    Case {
        fault: || json!([{ "path": "/api", "hang": true }]),
        says: &["list nodes", "15 s"],
        answers: false,
        within: Duration::from_secs(15),
    },
    fails(|| json!([{ "path": "/api", "cut_after": 50 }]), &["the connection ended", "list nodes"]),
];

/// Tries all with the servers that it fits.
pub(super) fn check(workspace: &Workspace, server: &Server) -> Result {
    workspace.build_layers()?;
    let layer = |name: &str| {
        workspace.layers().find(|layer| layer.name == name).ok_or_else(|| format!("there is no {name}"))
    };
    let (ovn, kernel) = (layer("mcp-ovn")?, layer("mcp-kernel")?);
    for case in CASES {
        one(workspace, server, ovn, case)?;
    }
    println!("{}: {} faults are told, each within its time-out", ovn.name, CASES.len());
    many(workspace, server, ovn)?;
    cancelled(workspace, server, kernel)
}

fn start(workspace: &Workspace, server: &Server, layer: &Crate) -> Result<Session> {
    let source = [format!("--kubeconfig={}", server.kubeconfig().display())];
    let mut session = Session::start(&workspace.sh, &workspace.binary(layer), &source, Era::Initialize)?;
    session.open()?;
    Ok(session)
}

fn show(node: &str) -> Value {
    json!({ "node_name": node, "timeout_seconds": TIME_OUT.as_secs() })
}

/// A fault, and then a good day again: the same server, that knows nothing yet, must cope with both.
fn one(workspace: &Workspace, server: &Server, layer: &Crate, case: &Case) -> Result {
    let fault = (case.fault)();
    let mut session = start(workspace, server, layer)?;
    server.faults(&fault)?;
    let begun = Instant::now();
    let said = session.call("ovn_nbctl_show", &show("ovn-worker"));
    let took = begun.elapsed();
    server.faults(&json!([]))?;
    let said = said.map_err(|error| format!("{fault}: {error}"))?;
    let text = said.as_ref().unwrap_or_else(|error| error);
    let missing: Vec<&&str> = case.says.iter().filter(|part| !text.contains(**part)).collect();
    if said.is_ok() != case.answers || !missing.is_empty() || took > case.within + Duration::from_secs(3) {
        return Err(format!("{fault}: after {took:.1?}, without {missing:?}: {text}").into());
    }
    let again = session.call("ovn_nbctl_show", &show("ovn-worker"))?;
    again.map_err(|error| format!("after {fault}: {error}"))?;
    session.close()
}

/// Fifty calls at once, each answered with what was asked.
fn many(workspace: &Workspace, server: &Server, layer: &Crate) -> Result {
    let nodes = ["ovn-worker", "ovn-worker2"];
    let mut session = start(workspace, server, layer)?;
    let mut asked = Vec::new();
    for node in nodes.iter().cycle().take(50) {
        let arguments = json!({ "node_name": node, "timeout_seconds": 60 });
        let id = session.ask("tools/call", json!({ "name": "ovn_nbctl_show", "arguments": arguments }))?;
        asked.push((id, *node));
    }
    for _ in 0..asked.len() {
        let (id, reply) = session.answer()?;
        let (_, node) = asked.iter().find(|(number, _)| *number == id).ok_or("an answer to nothing")?;
        let text = mcp::said(&reply.map_err(|error| error.to_string())?)?;
        if !text.as_ref().is_ok_and(|text| text.contains(&format!("GR_{node}"))) {
            return Err(format!("of {} calls at once, one about {node}: {text:?}", asked.len()).into());
        }
    }
    session.close()?;
    println!("{}: {} calls at once are answered", layer.name, asked.len());
    Ok(())
}

/// Begins a call whose command runs for a while, and waits until it does.
fn begin(server: &Server, session: &mut Session, seconds: u64) -> Result<u64> {
    let arguments = json!({ "node_name": "ovn-worker", "seconds": seconds, "timeout_seconds": seconds + 10 });
    let id = session.ask("tools/call", json!({ "name": "conntrack_events", "arguments": arguments }))?;
    wait(Duration::from_secs(20), || server.processes().iter().any(|words| words.contains("conntrack")))
        .ok_or("the command of conntrack_events was not seen in any container")?;
    Ok(id)
}

fn cancelled(workspace: &Workspace, server: &Server, layer: &Crate) -> Result {
    let mut session = start(workspace, server, layer)?;
    let id = begin(server, &mut session, 50)?;
    session.cancel(id)?;
    let took = wait(GRACE, || server.processes().is_empty())
        .ok_or_else(|| format!("{GRACE:?} after its call was cancelled there is {:?}", server.processes()))?;
    println!("{}: the command of a cancelled call was gone after {took:.1?}", layer.name);
    Ok(())
}

/// How long it took until it was so; none: too long.
fn wait(longest: Duration, mut is_so: impl FnMut() -> bool) -> Option<Duration> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > longest {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(begun.elapsed())
}
