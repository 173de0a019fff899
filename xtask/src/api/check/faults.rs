//! A server on a cluster's bad days: it says within its time-out what happened, and it stays up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Server;
use super::start;
use crate::mcp;
use crate::workspace::{Crate, Result, Workspace};

/// Of a call to which there will be no answer, and of all others, in seconds.
const SHORT: u64 = 2;
const LONG: u64 = 20;

/// For what a busy machine takes to say so.
const SLACK: Duration = Duration::from_secs(8);

/// Something that happens to requests, and what the answer says of it. An answer can be one nevertheless.
struct Case {
    fault: fn() -> Value,
    says: &'static [&'static str],
    answers: bool,
    seconds: u64,
}

const fn fails(fault: fn() -> Value, says: &'static [&'static str]) -> Case {
    Case { fault, says, answers: false, seconds: LONG }
}

const fn answers(fault: fn() -> Value, says: &'static [&'static str]) -> Case {
    Case { fault, says, answers: true, seconds: LONG }
}

const fn hangs(fault: fn() -> Value, says: &'static [&'static str]) -> Case {
    Case { fault, says, answers: false, seconds: SHORT }
}

const CASES: &[Case] = &[
    answers(|| json!([{ "path": "/exec", "slow_ms": 700 }]), &["GR_ovn-worker"]),
    hangs(|| json!([{ "path": "/exec", "hang": true }]), &["2 s"]),
    fails(
        || json!([{ "path": "/exec", "status": 403 }]),
        &["403", "pods/exec", "ovn-kubernetes", "deploy/rbac"],
    ),
    fails(|| json!([{ "path": "/exec", "status": 404 }]), &["404", "call again"]),
    fails(|| json!([{ "path": "/exec", "status": 429 }]), &["429", "Wait a few seconds"]),
    fails(|| json!([{ "path": "/exec", "status": 500 }]), &["500", "check kube-apiserver"]),
    fails(|| json!([{ "path": "/exec", "status": 503 }]), &["503", "Wait a few seconds"]),
    fails(|| json!([{ "path": "/exec", "cut_after": 100 }]), &["connection", "Call again"]),
    answers(
        || json!([{ "restarting": "ovn-kubernetes/ovnkube-node-k7xwd/nb-ovsdb" }]),
        &["GR_ovn-worker", "nb-ovsdb", "CrashLoopBackOff"],
    ),
    fails(|| json!([{ "path": "/api", "status": 503 }]), &["503"]),
    fails(|| json!([{ "path": "/api", "status": 403 }]), &["403", "list"]),
    hangs(|| json!([{ "path": "/pods?", "hang": true }]), &["2 s"]),
    hangs(|| json!([{ "path": "/api", "hang": true }]), &["list nodes", "2 s"]),
    fails(
        || json!([{ "path": "/api", "cut_after": 50 }]),
        &["the connection ended", "list nodes", "Call again"],
    ),
];

/// Tries all with the servers that it fits.
pub(super) fn check(workspace: &Workspace, server: &Server) -> Result {
    let ovn = workspace.layer("mcp-ovn")?;
    for case in CASES {
        one(workspace, server, ovn, case)?;
    }
    println!("{}: {} faults are told, each within its time-out", ovn.name, CASES.len());
    silence(workspace, server)?;
    half_a_log(workspace, server)?;
    many(workspace, server, ovn)
}

/// What never ran has seen no event: an answer that says so would be a lie.
fn silence(workspace: &Workspace, server: &Server) -> Result {
    let kernel = workspace.layer("mcp-kernel")?;
    let mut session = start(workspace, server, kernel, &[])?;
    server.faults(&json!([{ "path": "/exec", "hang": true }]))?;
    let said = session.call("conntrack_events", &json!({ "node_name": "ovn-worker", "seconds": 2 }))?;
    server.faults(&json!([]))?;
    session.close()?;
    match said {
        Err(text) if text.contains("no answer from `") && text.contains("kubelet") => Ok(()),
        other => Err(format!("events of a node that is silent: {other:?}").into()),
    }
}

/// That a log breaks off is said, whether or not some of it came.
fn half_a_log(workspace: &Workspace, server: &Server) -> Result {
    let k8s = workspace.layer("mcp-k8s")?;
    let mut session = start(workspace, server, k8s, &[])?;
    let asked = json!({ "pod": "ovn-kubernetes/ovnkube-node-k7xwd", "container": "ovn-northd" });
    for (fault, says) in [
        (json!([{ "path": "/log", "cut_after": 400 }]), "the connection ended"),
        (json!([{ "path": "/log", "status": 503 }]), "(503)"),
    ] {
        server.faults(&fault)?;
        let text = session.call("kubectl_logs", &asked)?.unwrap_or_else(|error| error);
        server.faults(&json!([]))?;
        if !text.contains(says) {
            return Err(format!("{fault}, without `{says}`: {text}").into());
        }
    }
    session.close()
}

fn show(node: &str, seconds: u64) -> Value {
    json!({ "node_name": node, "timeout_seconds": seconds })
}

/// A fault, and then a good day again: the same server, that knows nothing yet, must cope with both.
fn one(workspace: &Workspace, server: &Server, layer: &Crate, case: &Case) -> Result {
    let fault = (case.fault)();
    let mut session = start(workspace, server, layer, &[])?;
    server.faults(&fault)?;
    let begun = Instant::now();
    let said = session.call("ovn_nbctl_show", &show("ovn-worker", case.seconds));
    let took = begun.elapsed();
    server.faults(&json!([]))?;
    let said = said.map_err(|error| format!("{fault}: {error}"))?;
    let text = said.as_ref().unwrap_or_else(|error| error);
    let missing: Vec<&&str> = case.says.iter().filter(|part| !text.contains(**part)).collect();
    if said.is_ok() != case.answers || !missing.is_empty() || took > Duration::from_secs(case.seconds) + SLACK
    {
        return Err(format!("{fault}: after {took:.1?}, without {missing:?}: {text}").into());
    }
    let again = session.call("ovn_nbctl_show", &show("ovn-worker", LONG))?;
    again.map_err(|error| format!("after {fault}: {error}"))?;
    session.close()
}

/// Fifty calls at once, each answered with what was asked.
fn many(workspace: &Workspace, server: &Server, layer: &Crate) -> Result {
    let nodes = ["ovn-worker", "ovn-worker2"];
    let mut session = start(workspace, server, layer, &[])?;
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
    fair(workspace, server, layer)
}

/// Fifty calls at once, half of them to a node that says nothing: the other half does not wait for it.
fn fair(workspace: &Workspace, server: &Server, layer: &Crate) -> Result {
    let mut session = start(workspace, server, layer, &[])?;
    server.faults(&json!([{ "path": "/pods/ovnkube-node-k7xwd/exec", "hang": true }]))?;
    let mut silent = Vec::new();
    for number in 0..50 {
        let node = if number % 2 == 0 { "ovn-worker" } else { "ovn-worker2" };
        let call = json!({ "name": "ovn_nbctl_show", "arguments": show(node, LONG) });
        let id = session.ask("tools/call", call)?;
        if number % 2 == 0 {
            silent.push(id);
        }
    }
    let order = (0..50).map(|_| Ok(session.answer()?.0)).collect::<Result<Vec<u64>>>()?;
    server.faults(&json!([]))?;
    session.close()?;
    match order.iter().take(25).find(|id| silent.contains(id)) {
        Some(_) => {
            Err(format!("calls to a silent node keep others waiting: of {silent:?}, in {order:?}").into())
        }
        None => {
            println!("{}: 25 of them do not wait for 25 to a node that is silent", layer.name);
            Ok(())
        }
    }
}
