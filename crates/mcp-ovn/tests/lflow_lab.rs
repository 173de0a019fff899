//! Compares logical flows and their origins on the live nodes of the lab with the real `ovn-sbctl` and `ovn-detrace`.

use mcp_testing::{Case, Failed, answer, lab};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    process::{Output, Stdio},
};

const NODES: [&str; 2] = ["ovn-worker", "ovn-worker2"];

fn on(node: &str, command: &[&str], input: &str) -> Result<String, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid"))
        .map_err(|e| format!("no lab: {e}: cargo xtask lab up"))?;
    #[expect(clippy::disallowed_methods, reason = "a test runs the real clients")]
    let mut program = std::process::Command::new("nsenter");
    program.arg(format!("--target={}", pid.trim())).args(["--net", "--mount", "--uts", "--"]).args(command);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output()?;
    if !status.success() {
        return Err(format!("{command:?} failed on {node}: {}", String::from_utf8_lossy(&stderr)).into());
    }
    Ok(String::from_utf8(stdout)?)
}

fn ask(tool: &str, params: Value) -> Result<String, Failed> {
    let params = params.as_object().expect("an object").clone();
    answer(mcp_ovn::layer(), lab()?, &Case { scenario: String::new(), tool: tool.into(), params })
}

/// Returns all pages of the flows of a datapath, without evidence and notes, and with each heading once.
fn all_flows(node: &str, datapath: &str) -> Result<Vec<String>, Failed> {
    let mut lines: Vec<String> = Vec::new();
    let mut flows = 0;
    loop {
        let page =
            ask("ovn_sbctl_lflow_list", json!({ "node_name": node, "datapath": datapath, "offset": flows }))?;
        for line in page.lines().filter(|line| !line.starts_with("# ") && !line.starts_with("note: ")) {
            flows += usize::from(line.starts_with("  "));
            if !lines.iter().any(|known| known == line && !line.starts_with("  ")) {
                lines.push(line.to_owned());
            }
        }
        if !page.contains(" shows the next rows\n") {
            return Ok(lines);
        }
    }
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn flows_equal_those_of_the_real_client() -> Result<(), Failed> {
    let mut compared = 0;
    for node in NODES {
        let names =
            on(node, &["ovn-sbctl", "--bare", "--columns=external_ids", "list", "Datapath_Binding"], "")?;
        let names: BTreeSet<&str> =
            names.split_whitespace().filter_map(|word| word.strip_prefix("name=")).collect();
        for datapath in names {
            let theirs = on(node, &["ovn-sbctl", "lflow-list", datapath], "")?;
            assert_eq!(
                all_flows(node, datapath)?,
                theirs.lines().collect::<Vec<_>>(),
                "{datapath} on {node}"
            );
            compared += theirs.lines().count();
        }
    }
    assert!(compared > 1_000, "only {compared} lines were compared");
    Ok(())
}

/// Extracts the facts about a flow in the words of `ovn-detrace`, without quotes, because it loses quotes at the end of
/// a match.
fn facts(text: &str) -> BTreeSet<String> {
    let flow = |line: &str| line.contains("* Logical flow: ").then(|| line.trim().replace('"', ""));
    text.lines().filter_map(flow).collect()
}

/// Extracts the ports that physical flows belong to.
fn ports(text: &str, before: &str, after: char) -> BTreeSet<String> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn origins_equal_those_of_the_real_ovn_detrace() -> Result<(), Failed> {
    let mut compared = 0;
    for (to, port) in [("10.244.1.6", 8080), ("10.244.0.5", 8080), ("8.8.8.8", 53), ("10.96.0.10", 80)] {
        let ofport = on(
            "ovn-worker",
            &[
                "ovs-vsctl",
                "--bare",
                "--columns=ofport",
                "find",
                "interface",
                "external_ids:iface-id=default_client",
            ],
            "",
        )?;
        let flow = format!(
            "in_port={},tcp,dl_src=0a:58:0a:f4:00:04,dl_dst=0a:58:0a:f4:00:01,nw_src=10.244.0.4,nw_dst={to},nw_ttl=64,tcp_dst={port},dp_hash=0x1",
            ofport.trim()
        );
        let trace = on("ovn-worker", &["ovs-appctl", "ofproto/trace", "br-int", &flow], "")?;
        let theirs = on("ovn-worker", &["/usr/bin/ovn-detrace", "--no-leader-only"], &trace)?;
        let mut ours = String::new();
        for offset in (0..).step_by(20) {
            let page = json!({ "node_name": "ovn-worker", "trace": trace, "offset": offset, "limit": 20 });
            ours += &ask("ovn_detrace", page)?;
            if !ours.ends_with(" shows the next rows\n") {
                break;
            }
        }
        assert_eq!(facts(&ours), facts(&theirs), "to {to}");
        assert_eq!(
            ports(&ours, "* Port_Binding ", ' '),
            ports(&theirs, "* Port Binding: logical_port \"", '"'),
            "to {to}"
        );
        compared += facts(&theirs).len();
    }
    assert!(compared > 100, "only {compared} flows were compared");
    Ok(())
}
