//! Compares traces between names in the lab, live and from a bundle, with the real `ovn-trace` and an expert's
//! microflow.

use mcp_core::{Backend, Bundle};
use mcp_testing::{Case, Failed, answer, lab};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

fn lab_dir() -> String {
    std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into())
}

fn on(node: &str, command: &[&str]) -> Result<String, Failed> {
    let dir = lab_dir();
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid"))
        .map_err(|e| format!("no lab: {e}: cargo xtask lab up"))?;
    #[expect(clippy::disallowed_methods, reason = "a test runs the real program")]
    let mut program = std::process::Command::new("nsenter");
    program.arg(format!("--target={}", pid.trim())).args(["--net", "--mount", "--uts", "--"]).args(command);
    let output = program.output()?;
    if !output.status.success() {
        return Err(
            format!("{command:?} failed on {node}: {}", String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn ask(source: &Arc<dyn Backend>, params: Value) -> Result<String, Failed> {
    let params = params.as_object().expect("an object").clone();
    let case = Case { scenario: String::new(), tool: "ovn_trace".into(), params };
    answer(mcp_ovn::layer(), source.clone(), &case)
}

/// Returns a must-gather of the lab, for which ovn-trace has no server.
fn gathered(dir: &Path) -> Result<Arc<dyn Backend>, Failed> {
    let (script, out) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/lab/gather.sh"), dir.join("gathered"));
    #[expect(clippy::disallowed_methods, reason = "a test gathers the lab")]
    let mut gather = std::process::Command::new("bash");
    gather.arg(script).arg(&out).env("LAB_DIR", lab_dir());
    assert!(gather.status()?.success(), "the lab cannot be gathered");
    Ok(Arc::new(Bundle::new(vec![out])))
}

/// Checks that our trace contains every output of the real program. The real program picks one of several backends or
/// routes at random; our trace contains all of them.
fn check(
    source: &Arc<dyn Backend>,
    node: &str,
    datapath: &str,
    microflow: &str,
    params: Value,
) -> Result<(), Failed> {
    let new = "--ct=new";
    let theirs = on(node, &["ovn-trace", "--minimal", new, new, new, new, datapath, microflow])?;
    let answer = ask(source, params.clone())?;
    assert!(!answer.starts_with("error:"), "{answer}");
    for line in theirs.lines() {
        if let Some((_, rest)) = line.split_once("output(\"") {
            let port = rest.split('"').next().unwrap_or_default();
            // Our verdict names the pod, and every line of the path names its ports.
            assert!(
                answer.contains(port),
                "{node} {microflow}: our trace lacks {theirs}, {params}: {answer}"
            );
        }
    }
    Ok(())
}

/// A destination by name, its address, protocol and port, and its MAC address if it is on the switch of the sender on
/// the first or the second node.
type TracePair = (&'static str, &'static str, &'static str, u16, [Option<&'static str>; 2]);

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn live_traces_agree_with_the_real_program() -> Result<(), Failed> {
    thirty_traces(&lab()?)
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn bundle_traces_agree_with_the_real_program() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    thirty_traces(&gathered(dir.path())?)
}

fn thirty_traces(source: &Arc<dyn Backend>) -> Result<(), Failed> {
    let targets: [TracePair; 14] = [
        ("default/client-2", "10.244.1.4", "icmp", 0, [None, None]),
        ("10.244.0.5", "10.244.0.5", "tcp", 8080, [Some("0a:58:0a:f4:00:05"), None]),
        ("10.244.1.5", "10.244.1.5", "tcp", 8080, [None, Some("0a:58:0a:f4:01:05")]),
        // The database pod allows clients on one port and denies the others.
        ("10.244.1.6", "10.244.1.6", "tcp", 5432, [None, Some("0a:58:0a:f4:01:06")]),
        ("10.244.1.6", "10.244.1.6", "tcp", 22, [None, Some("0a:58:0a:f4:01:06")]),
        ("10.244.1.6", "10.244.1.6", "udp", 53, [None, Some("0a:58:0a:f4:01:06")]),
        // These are services with and without endpoints, and the service of the API server.
        ("default/web", "10.96.0.10", "tcp", 80, [None, None]),
        ("default/empty", "10.96.0.20", "tcp", 80, [None, None]),
        ("default/kubernetes", "10.96.0.1", "tcp", 443, [None, None]),
        // These addresses are outside the cluster: default/client has an egress IP on the other node.
        ("8.8.8.8", "8.8.8.8", "udp", 53, [None, None]),
        ("8.8.8.8", "8.8.8.8", "icmp", 0, [None, None]),
        ("172.18.0.3", "172.18.0.3", "tcp", 6443, [None, None]),
        // No pod has this address.
        ("10.244.7.7", "10.244.7.7", "sctp", 9, [None, None]),
        ("10.97.0.1", "10.97.0.1", "tcp", 65535, [None, None]),
    ];
    let senders = [
        (
            "ovn-worker",
            "default/client",
            "default_client",
            "10.244.0.4",
            "0a:58:0a:f4:00:04",
            "0a:58:0a:f4:00:01",
            0,
        ),
        (
            "ovn-worker2",
            "default/client-2",
            "default_client-2",
            "10.244.1.4",
            "0a:58:0a:f4:01:04",
            "0a:58:0a:f4:01:01",
            1,
        ),
    ];
    let mut equal = 0;
    for (node, from, port_name, address, mac, gateway, at) in senders {
        for (to, target, protocol, port, macs) in &targets {
            let (to, target) =
                if *target == address { ("default/client", "10.244.0.4") } else { (*to, *target) };
            // Only the other zone knows the name of its pod, so the trace gets its address.
            let known = !to.contains("client");
            let to = if known { to } else { target };
            let next = macs.get(at).copied().flatten().unwrap_or(gateway);
            let transport = match *protocol {
                "icmp" => "icmp4.type==8 && icmp4.code==0".to_owned(),
                name => format!("{name} && {name}.src==40000 && {name}.dst=={port}"),
            };
            let expert = format!(
                "inport==\"{port_name}\" && eth.src=={mac} && eth.dst=={next} && ip4.src=={address} && ip4.dst=={target} && ip.ttl==64 && {transport}"
            );
            // A null parameter counts as absent.
            let port = (*protocol != "icmp").then_some(port);
            let params = json!({
                "node_name": node, "from": from, "to": to, "protocol": protocol, "port": port,
            });
            check(source, node, node, &expert, params)?;
            equal += 1;
        }
    }
    let six = "inport==\"default_client\" && eth.src==0a:58:0a:f4:00:04 && eth.dst==0a:58:0a:f4:00:01 && ip6.src==fd00::4 && ip6.dst==fd00::5 && ip.ttl==64 && tcp && tcp.dst==80";
    let back = "inport==\"tstor-ovn-worker2\" && eth.src==0a:58:64:58:00:03 && eth.dst==0a:58:64:58:00:02 && ip4.src==10.244.1.4 && ip4.dst==10.244.0.5 && ip.ttl==63 && tcp && tcp.dst==8080";
    for (datapath, microflow) in [("ovn-worker", six), ("transit_switch", back)] {
        let params = json!({ "node_name": "ovn-worker", "datapath": datapath, "microflow": microflow });
        check(source, "ovn-worker", datapath, microflow, params)?;
        equal += 1;
    }
    assert_eq!(equal, 30);
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_trace_continues_in_the_other_zone() -> Result<(), Failed> {
    for (port, wanted) in [(5432, "delivered to pod default/db on ovn-worker2"), (22, "dropped by ACL drop")]
    {
        let params =
            json!({ "node_name": "ovn-worker", "from": "default/client", "to": "10.244.1.6", "port": port });
        let answer = ask(&lab()?, params)?;
        assert!(answer.lines().nth(1).is_some_and(|line| line.starts_with(wanted)), "{answer}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn form_real_runs_the_program_of_the_container() -> Result<(), Failed> {
    let params = json!({ "node_name": "ovn-worker", "from": "default/client", "to": "10.244.1.6", "port": 5432, "form": "real" });
    let answer = ask(&lab()?, params.clone())?;
    assert!(answer.contains("/* output to \"tstor-ovn-worker2\", type \"remote\" */"), "{answer}");
    let dir = tempfile::tempdir()?;
    let refused = ask(&gathered(dir.path())?, params)?;
    assert!(refused.starts_with("error: form=real runs ovn-trace in the cluster's container"), "{refused}");
    Ok(())
}
