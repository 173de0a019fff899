//! The two live nodes of the lab: what we say against what the real programs say, and that asking changes nothing.
//!
//! `cargo xtask test` builds the lab and runs these; by hand: `cargo xtask lab up`, then `cargo test -- --ignored`.

use mcp_core::testing::{Case, Failed, answer, lab};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

const NODES: [&str; 2] = ["ovn-worker", "ovn-worker2"];

fn on(node: &str, command: &[&str]) -> Result<String, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid"))
        .map_err(|e| format!("no lab: {e}: cargo xtask lab up"))?;
    let target = format!("--target={}", pid.trim());
    #[expect(clippy::disallowed_methods, reason = "a test asks the real programs")]
    let output = std::process::Command::new("nsenter")
        .args([&target, "--net", "--mount", "--uts", "--"])
        .args(command)
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn ask(tool: &str, params: Value) -> Result<String, Failed> {
    let params = params.as_object().expect("an object").clone();
    answer(mcp_ovs::layer(), lab()?, &Case { scenario: String::new(), tool: tool.into(), params })
}

/// All pages of an answer.
fn all(tool: &str, params: Value) -> Result<String, Failed> {
    let mut text = String::new();
    let mut offset = 0;
    loop {
        let mut params = params.clone();
        params.as_object_mut().ok_or("no object")?.insert("offset".into(), json!(offset));
        let page = ask(tool, params)?;
        text += &page;
        match page.split_once("; offset=").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok()) {
            Some(next) => offset = next,
            None => return Ok(text),
        }
    }
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn flows_are_those_of_the_real_client() -> Result<(), Failed> {
    for node in NODES {
        for bridge in ["br-ex", "br-int"] {
            let theirs = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", bridge])?;
            let theirs: Vec<&str> = theirs.lines().filter(|line| line.contains("actions=")).collect();
            if bridge == "br-ex" {
                let ours = all("ovs_ofctl_dump_flows", json!({ "node_name": node, "bridge": bridge }))?;
                assert_eq!(ours.matches(" actions=").count(), theirs.len(), "{node} {bridge}");
                continue;
            }
            let mut flows = 0;
            for table in [0, 8, 33, 65, 73] {
                let ours =
                    all("ovs_ofctl_dump_flows", json!({ "node_name": node, "table": table.to_string() }))?;
                let of_table = |line: &&&str| match table {
                    0 => !line.contains(" table="),
                    table => line.contains(&format!(" table={table},")),
                };
                let wanted = theirs.iter().filter(of_table).count();
                assert_eq!(ours.matches("actions=").count(), wanted, "{node} table {table}: {ours}");
                flows += wanted;
            }
            assert!(flows > 20, "only {flows} flows were compared");
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn the_switch_is_that_of_the_real_client() -> Result<(), Failed> {
    for node in NODES {
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text
                .lines()
                .filter(|line| !line.starts_with('#') && !line.contains("ovs_version") && line.len() != 36)
                .map(|line| line.trim().to_owned())
                .collect();
            lines.sort();
            lines
        };
        let (ours, theirs) =
            (ask("ovs_vsctl_show", json!({ "node_name": node }))?, on(node, &["ovs-vsctl", "show"])?);
        assert_eq!(sorted(&ours), sorted(&theirs), "{node}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn ports_and_groups_are_those_of_the_real_client() -> Result<(), Failed> {
    for node in NODES {
        let theirs = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "dump-ports-desc", "br-int"])?;
        let ours = ask("ovs_ofctl_show", json!({ "node_name": node }))?;
        assert_eq!(ours.matches(": addr:").count(), theirs.matches("): addr:").count(), "{node}");
        let theirs = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "dump-groups", "br-int"])?;
        let ours = ask("ovs_ofctl_show", json!({ "node_name": node, "what": "groups" }))?;
        assert_eq!(ours.matches("\ngroup ").count(), theirs.matches("group_id=").count(), "{node}");
        assert_eq!(ours.matches("bucket=").count(), theirs.matches("bucket=").count(), "{node}");
    }
    Ok(())
}

/// What a trace could leave behind: addresses that were learnt, connections, packets that ports sent.
fn state(node: &str) -> Result<String, Failed> {
    let mut state = on(node, &["ovs-appctl", "dpctl/dump-conntrack"])?;
    for bridge in ["br-int", "br-ex"] {
        let learnt = on(node, &["ovs-appctl", "fdb/show", bridge])?;
        // Without the ages, which pass.
        state.extend(
            learnt
                .lines()
                .map(|line| line.rsplit_once(' ').map_or(line, |(entry, _)| entry.trim()).to_owned() + "\n"),
        );
    }
    Ok(state)
}

/// Held by a test that makes traffic, and by one that looks whether there was any.
static TRAFFIC: Mutex<()> = Mutex::new(());

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_trace_is_the_real_one_and_leaves_nothing_behind() -> Result<(), Failed> {
    let _quiet = TRAFFIC.lock().unwrap_or_else(PoisonError::into_inner);
    let before = state("ovn-worker")?;
    for (to, port) in [("default/web", 80), ("10.244.1.5", 8080), ("172.18.0.1", 80)] {
        let ours = all(
            "ovs_appctl_ofproto_trace",
            json!({ "node_name": "ovn-worker", "from": "default/client", "to": to, "port": port}),
        )?;
        let flow = ours
            .split_once("note: traced in br-int: ")
            .ok_or(ours.clone())?
            .1
            .lines()
            .next()
            .unwrap_or_default();
        let theirs = on("ovn-worker", &["ovs-appctl", "ofproto/trace", "br-int", flow, "--names"])?;
        for line in theirs.lines().filter(|line| !line.trim().is_empty() && !line.contains("recirc")) {
            assert!(ours.contains(line.trim_end()), "{to}: {line} is not in\n{ours}");
        }
        assert!(ours.contains("Final flow: ") && ours.contains("Datapath actions: "), "{ours}");
    }
    for flow in
        ["ffffffffffff0a580af400040800", "in_port=4,tcp -generate", "-generate", "in_port=4,tcp\n-generate"]
    {
        let refused = ask("ovs_appctl_ofproto_trace", json!({ "node_name": "ovn-worker", "flow": flow }))?;
        assert!(refused.starts_with("error: "), "{flow}: {refused}");
    }
    assert_eq!(before, state("ovn-worker")?);
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn counters_that_move_are_seen() -> Result<(), Failed> {
    let _traffic = TRAFFIC.lock().unwrap_or_else(PoisonError::into_inner);
    let pinging = std::thread::spawn(|| {
        on("ovn-worker", &["ping", "-c", "8", "-i", "0.3", "-W", "1", "172.18.0.3"]).is_ok()
    });
    let ports =
        ask("ovs_ofctl_show", json!({ "node_name": "ovn-worker", "bridge": "br-ex", "delta_seconds": 2 }))?;
    assert!(pinging.join().is_ok_and(|pinged| pinged), "the other node does not answer");
    assert!(ports.contains("eth0 tx pkts") && ports.contains("/s), now "), "{ports}");
    let coverage = ask(
        "ovs_appctl_show",
        json!({ "node_name": "ovn-worker", "subject": "coverage", "delta_seconds": 1 }),
    )?;
    assert!(coverage.contains("sampled twice"), "{coverage}");
    let never =
        ask("ovs_appctl_show", json!({ "node_name": "ovn-worker", "subject": "fdb", "delta_seconds": 1 }))?;
    assert!(never.starts_with("error: fdb has no counters to sample"), "{never}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_flow_that_a_node_lacks_stands_out() -> Result<(), Failed> {
    let params = json!({ "node_name": "all", "bridge": "br-ex" });
    let healthy = ask("ovs_ofctl_dump_flows", params.clone())?;
    let flow = "table=0,priority=200,udp,in_port=LOCAL,udp_dst=6081";
    on("ovn-worker2", &["ovs-ofctl", "--strict", "del-flows", "br-ex", flow])?;
    let text = ask("ovs_ofctl_dump_flows", params);
    on(
        "ovn-worker2",
        &["ovs-ofctl", "add-flow", "br-ex", &format!("cookie=0xdeff105,{flow},actions=output:1")],
    )?;
    let text = text?;
    assert!(
        text.contains("missing on ovn-worker2: table=0, priority=200,udp,in_port=LOCAL,tp_dst=6081"),
        "{text}"
    );
    assert!(!healthy.contains("in_port=LOCAL,tp_dst=6081\n"), "{healthy}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_switch_that_hangs_is_told_in_time() -> Result<(), Failed> {
    let pid = on("ovn-worker2", &["cat", "/var/run/openvswitch/ovs-vswitchd.pid"])?;
    on("ovn-worker2", &["kill", "-STOP", pid.trim()])?;
    let text = ask(
        "ovs_ofctl_dump_flows",
        json!({ "node_name": "ovn-worker2", "bridge": "br-ex", "timeout_seconds": 2 }),
    );
    on("ovn-worker2", &["kill", "-CONT", pid.trim()])?;
    let text = text?;
    assert!(text.contains("did not finish on ovn-worker2 within 2 s"), "{text}");
    Ok(())
}
