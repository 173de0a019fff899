//! Huge recorded outputs under a memory limit: the server answers every call, and its process lives.
//!
//! The kernel enforces the limit, so the test measures neither memory nor time.

use mcp_testing::{Failed, ServerProcess};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

/// The memory limit of a server, in bytes.
const MEMORY: u64 = 3 << 30;

/// More calls than run at once.
const CALLS: usize = 80;

const REPORT: &str = "sosreport-node-1-2026-11-22-abcdefg";

/// The commands of the report: the name of the file, the command, and a line of its output.
const OUTPUTS: [(&str, &str, &str); 4] = [
    (
        "ip_-d_address",
        "ip -d address",
        "7: eth0: <UP> mtu 1500 qdisc noqueue state UP group default qlen 1000\n",
    ),
    (
        "ip_route_show_table_all",
        "ip route show table all",
        "10.0.0.0/8 via 10.1.1.1 dev eth0 proto static metric 7\n",
    ),
    ("ss_-peaonmi", "ss -peaonmi", "tcp ESTAB 0 0 10.0.0.1:22 10.0.0.2:41234 timer:(keepalive,1sec,0)\n"),
    ("ip_neigh_show", "ip neigh show", "10.244.2.1 dev eth0 lladdr 0a:58:0a:f4:02:01 REACHABLE\n"),
];

/// Writes a report whose outputs have about `lines` bytes of lines each, and then zeros up to `len` bytes.
fn report(dir: &Path, lines: usize, len: u64) -> Result<(), Failed> {
    let root = dir.join(REPORT);
    for folder in ["etc", "sos_reports", "sos_commands/networking"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("etc/hostname"), "node-1\n")?;
    let mut commands = Vec::new();
    for (name, exec, line) in OUTPUTS {
        let path = format!("sos_commands/networking/{name}");
        let mut file = BufWriter::new(File::create(root.join(&path))?);
        for _ in 0..lines / line.len() {
            file.write_all(line.as_bytes())?;
        }
        // The zeros take no room on the disk.
        let file = file.into_inner()?;
        file.set_len(file.metadata()?.len().max(len))?;
        commands.push(json!({ "exec": exec, "filepath": path, "return_code": 0, "truncated": false }));
    }
    let plugins = json!({ "networking": { "command_timeout": 30, "commands": commands } });
    let manifest = json!({ "components": { "report": { "plugins": plugins } } });
    Ok(fs::write(root.join("sos_reports/manifest.json"), manifest.to_string())?)
}

/// Makes calls at once over such a report, and returns the answers.
fn answers(lines: usize, len: u64, calls: usize, seconds: u64) -> Result<Vec<String>, Failed> {
    let dir = tempfile::tempdir()?;
    report(dir.path(), lines, len)?;
    let arguments = ["--bundle".to_owned(), dir.path().display().to_string()];
    let mut server = ServerProcess::limited(env!("CARGO_BIN_EXE_mcp-kernel"), &arguments, MEMORY)?;
    let tools = ["ip_addr_show", "ip_route_show", "ss_show", "ip_neigh_show"];
    let asked = json!({ "node_name": "node-1", "limit": 5, "timeout_seconds": seconds });
    let calls: Vec<(&str, Value)> =
        tools.into_iter().cycle().map(|tool| (tool, asked.clone())).take(calls).collect();
    let answers = server.call_all(&calls)?;
    assert!(answers.iter().all(|answer| !answer.trim().is_empty()), "{answers:?}");
    let after = server.call_all(&[("ip_rule_show", json!({ "node_name": "node-1" }))])?;
    assert!(after.iter().all(|answer| answer.contains("node-1")), "{after:?}");
    let end = server.end()?;
    assert!(end.success(), "the server ended with {end}");
    Ok(answers)
}

#[test]
fn an_output_that_is_too_large_is_refused() -> Result<(), Failed> {
    for len in [100 << 20, 2 << 30] {
        let told = answers(1 << 20, len, 4, 120)?;
        assert!(told.iter().all(|text| text.contains("is larger than")), "{told:?}");
    }
    Ok(())
}

#[test]
fn many_calls_with_large_outputs_are_bounded_together() -> Result<(), Failed> {
    // The calls get their memory in turn, and those whose time ends before their turn say why they have no answer.
    let reasons = [
        "memory for large data",
        "took longer than",
        "the time limit of the call, 8 s, has expired",
        "the server is busy",
    ];
    for (len, limit) in [(60 << 20, None), (100 << 20, Some("is larger than"))] {
        let told = answers(len, 0, CALLS, 8)?;
        let (failed, answered): (Vec<&String>, Vec<&String>) =
            told.iter().partition(|text| text.starts_with("error: "));
        for text in failed {
            assert!(reasons.iter().chain(&limit).any(|reason| text.contains(reason)), "{text}");
        }
        assert!(answered.iter().all(|text| text.contains("node-1")), "{answered:?}");
        assert!(limit.is_none() || answered.is_empty(), "{answered:?}");
    }
    Ok(())
}
