//! Sends real packets in the lab, and compares what happens to them with the verdicts of `ovn_trace`.

#[expect(dead_code, reason = "this test uses only a part of the module")]
#[path = "../../ovn-lflow/tests/common/lab.rs"]
mod nodes;

use mcp_testing::{Case, Failed, answer, lab};
use nodes::{Networks, program};
use serde_json::{Value, json};
use std::path::Path;

/// Returns the answer of `ovn_trace` without its first line, which names the sources.
fn trace(params: &Value) -> Result<String, Failed> {
    let params = params.as_object().ok_or("no parameters")?.clone();
    let case = Case { scenario: String::new(), tool: "ovn_trace".into(), params };
    let answer = answer(mcp_ovn::layer(), lab()?, &case)?;
    Ok(answer.split_once('\n').ok_or_else(|| answer.clone())?.1.to_owned())
}

/// Runs a program in a pod, in a node or outside the lab. Returns what it prints, also if it fails.
fn enter(place: &str, command: &[&str]) -> Result<String, Failed> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/lab/enter.sh");
    let output =
        program("bash").arg(script).arg(place).args(command).env("LAB_DIR", nodes::dir()).output()?;
    let both = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&both).into_owned())
}

/// Opens a connection. The servers of the lab answer with their own name and with the address of the client as they see
/// it: `hello from web-2 to 10.244.0.4`.
fn get(place: &str, url: &str) -> Result<String, Failed> {
    enter(place, &["curl", "-sS", "--max-time", "3", url])
}

/// Returns the name of the server that answers, and the address of the client as the server sees it.
fn greeting(text: &str) -> Option<(&str, &str)> {
    text.trim().strip_prefix("hello from ")?.rsplit_once(" to ")
}

/// Checks that a trace delivers the packet to the server that answered, with the source address that the server saw,
/// and that it delivers the reply.
fn arrives(text: &str, params: &Value) -> Result<(), Failed> {
    let (server, client) = greeting(text).ok_or_else(|| format!("{params}: no server answered: {text}"))?;
    let trace = trace(params)?;
    let to = match server {
        "outside" | "the API server" => "delivered to the external network".to_owned(),
        pod => format!("delivered to pod default/{pod} "),
    };
    let is_path = |line: &&str| line.contains(&to) && line.contains(&format!(" as tcp {client}:40000 -> "));
    assert!(trace.lines().any(|line| is_path(&line)), "{text} {params}:\n{trace}");
    let replies: Vec<&str> = trace.lines().filter(|line| line.starts_with("reply ")).collect();
    let delivered = |line: &&str| line.contains(": delivered to ") && !line.contains("discards it");
    assert!(!replies.is_empty() && replies.iter().all(delivered), "{params}:\n{trace}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn real_packets_agree_with_their_traces() -> Result<(), Failed> {
    nodes::warm()?;
    let of = |from: &str, to: &str, port: u16| {
        let node = if from.ends_with('2') { "ovn-worker2" } else { "ovn-worker" };
        json!({ "node_name": node, "from": from, "to": to, "port": port, "reply": true })
    };
    for (place, url, params) in [
        // From pod to pod, on one node and on two.
        ("default/client", "http://10.244.0.5:8080/", of("default/client", "default/web-1", 8080)),
        ("default/client", "http://10.244.1.5:8080/", of("default/client", "10.244.1.5", 8080)),
        // A network policy allows only this connection.
        ("default/client", "http://10.244.1.6:5432/", of("default/client", "10.244.1.6", 5432)),
        // Services: backends on two nodes, and a server outside the cluster.
        ("default/client", "http://10.96.0.10/", of("default/client", "default/web", 80)),
        ("default/client-2", "http://10.96.0.10/", of("default/client-2", "default/web", 80)),
        ("default/client", "http://10.96.0.1:443/", of("default/client", "default/kubernetes", 443)),
        // A NodePort from outside.
        ("outside", "http://172.18.0.2:30080/", of("172.18.0.1", "172.18.0.2", 30080)),
        // An egress IP on the other node, and the address of the node.
        ("default/client", "http://172.18.0.1/", of("default/client", "172.18.0.1", 80)),
        ("default/web-1", "http://172.18.0.1/", of("default/web-1", "172.18.0.1", 80)),
    ] {
        arrives(&get(place, url)?, &params)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_pod_that_is_its_own_backend() -> Result<(), Failed> {
    // The switch chooses the backend by a hash, which has the source port.
    let mut answers = (0..40).map(|_| get("default/web-1", "http://10.96.0.10/"));
    let own = answers.find(|text| text.as_ref().is_ok_and(|text| text.starts_with("hello from web-1 ")));
    let text = own.ok_or("the service never chose the pod that asks")??;
    let params = json!({
        "node_name": "ovn-worker", "from": "default/web-1", "to": "default/web", "port": 80, "reply": true,
        "backend": "10.244.0.5:8080",
    });
    arrives(&text, &params)
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn packets_that_do_not_arrive() -> Result<(), Failed> {
    let denied = get("default/client-2", "http://10.244.1.6:5432/")?;
    assert!(denied.contains("timed out"), "{denied}");
    let verdict = trace(&json!({
        "node_name": "ovn-worker2", "from": "default/client-2", "to": "default/db", "port": 5432,
    }))?;
    assert!(verdict.starts_with("dropped by ACL drop "), "{verdict}");
    let refused = get("default/client", "http://10.96.0.20/")?;
    assert!(refused.contains("connect to server"), "{refused}");
    let verdict = trace(&json!({
        "node_name": "ovn-worker", "from": "default/client", "to": "default/empty", "port": 80,
    }))?;
    assert!(verdict.starts_with("refused by "), "{verdict}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn packets_of_user_defined_networks() -> Result<(), Failed> {
    let _networks = Networks::up()?;
    for (port, from, to) in [
        ("default.l2.secondary_default_client", "10.200.0.1", "10.200.0.2"),
        ("default.l3.secondary_default_client", "10.201.0.4", "10.201.1.4"),
    ] {
        let ping = enter("default/client", &["ping", "-q", "-c", "3", "-W", "1", to])?;
        assert!(!ping.contains(" 0 received"), "{ping}");
        let params = json!({
            "node_name": "ovn-worker", "from": port, "to": to, "protocol": "icmp", "reply": true,
        });
        let trace = trace(&params)?;
        let verdict =
            format!("delivered to pod default/client-2 on ovn-worker2 as icmp type 8 code 0 {from} -> {to}");
        assert!(trace.starts_with(&verdict), "{trace}");
        let reply = format!(
            "reply 1: delivered to pod default/client on ovn-worker as icmp type 0 code 0 {to} -> {from}"
        );
        assert!(trace.lines().any(|line| line == reply), "{trace}");
    }
    Ok(())
}
