//! Checks a server on a faulty cluster: it names the fault within its timeout, and it continues to serve.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Server;
use super::start;
use crate::mcp;
use crate::workspace::{Crate, Result, Workspace};

/// The timeout of a call that gets no answer, and of all other calls, in seconds.
const SHORT: u64 = 2;
const LONG: u64 = 20;

/// The additional time that a busy machine needs.
const SLACK: Duration = Duration::from_secs(8);

/// A fault of requests, and the texts that the answer must contain. The call may succeed in spite of the fault.
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
    fails(|| json!([{ "path": "/exec", "status": 404 }]), &["404", "Call again"]),
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
    hangs(|| json!([{ "path": "/api", "hang": true }]), &["listing the nodes", "2 s"]),
    fails(
        || json!([{ "path": "/api", "cut_after": 50 }]),
        &["the connection ended", "list nodes", "Call again"],
    ),
];

/// Checks all faults with the servers that they concern.
pub(super) fn check(workspace: &Workspace, server: &Server) -> Result {
    let ovn = workspace.layer("mcp-ovn")?;
    for case in CASES {
        one(workspace, server, ovn, case)?;
    }
    println!("{}: {} faults are reported, each within its timeout", ovn.name, CASES.len());
    silence(workspace, server)?;
    half_a_log(workspace, server)?;
    many(workspace, server, ovn)
}

/// Checks that a command which never ran does not report that no event occurred.
fn silence(workspace: &Workspace, server: &Server) -> Result {
    let kernel = workspace.layer("mcp-kernel")?;
    let mut session = start(workspace, server, kernel, &[])?;
    server.faults(&json!([{ "path": "/exec", "hang": true }]))?;
    let said = session.call("conntrack_events", &json!({ "node_name": "ovn-worker", "seconds": 2 }))?;
    server.faults(&json!([]))?;
    session.close()?;
    match said {
        Err(text) if text.contains("no answer from `") && text.contains("kubelet") => Ok(()),
        other => {
            Err(format!("the events of a silent node must give an error, but the answer is {other:?}").into())
        }
    }
}

/// Checks that the answer says that a log was cut, whether or not a part of it arrived.
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
            return Err(format!("the error for {fault} does not contain `{says}`: {text}").into());
        }
    }
    session.close()
}

fn show(node: &str, seconds: u64) -> Value {
    json!({ "node_name": node, "timeout_seconds": seconds })
}

/// Checks a fault, and then the cluster without the fault. The server has not connected before, and must handle both.
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
        return Err(format!(
            "the error for {fault} came after {took:.1?} and does not contain {missing:?}: {text}"
        )
        .into());
    }
    let again = session.call("ovn_nbctl_show", &show("ovn-worker", LONG))?;
    again.map_err(|error| format!("the call after {fault} failed: {error}"))?;
    session.close()
}

/// Checks that fifty calls at once each get their own answer.
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
        let (_, node) =
            asked.iter().find(|(number, _)| *number == id).ok_or("the server answered no known request")?;
        let text = mcp::said(&reply.map_err(|error| error.to_string())?)?;
        if !text.as_ref().is_ok_and(|text| text.contains(&format!("GR_{node}"))) {
            return Err(format!(
                "among {} concurrent calls, the call about {node} answered {text:?}",
                asked.len()
            )
            .into());
        }
    }
    session.close()?;
    println!("{}: {} concurrent calls are answered", layer.name, asked.len());
    fair(workspace, server, layer)
}

/// Checks fifty calls at once, half of them to a silent node: the other half does not wait for that node.
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
        Some(_) => Err(format!(
            "calls to a silent node delay other calls: silent calls {silent:?}, order of answers {order:?}"
        )
        .into()),
        None => {
            println!("{}: 25 calls do not wait for 25 other calls to a silent node", layer.name);
            Ok(())
        }
    }
}
