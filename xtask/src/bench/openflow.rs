//! Measures how a hundred thousand flows are read and how a packet is followed through them, beside an ovs-vswitchd
//! that has the same flows.

use std::fmt::Write;
use std::fs;

use xshell::cmd;

use super::measure::watched;
use super::{Plan, Table, megabytes};
use crate::workspace::{Result, Workspace};

/// The number of flows in a full run. A quick run has a tenth of them.
const FLOWS: usize = 100_000;

/// A packet from a pod on the captured node.
const FLOW: &str = "tcp,in_port=7,dl_src=0a:58:0a:f4:01:05,dl_dst=0a:58:0a:f4:01:01,nw_src=10.244.1.5,nw_dst=10.244.0.3,nw_ttl=64,tcp_src=40000,tcp_dst=80";

/// Measures the evaluation and the switch.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let scratch = sh.create_temp_dir()?;
    let dump = scratch.path().join("flows");
    let count = if plan.quick { FLOWS / 10 } else { FLOWS };
    let text = flows(workspace, count)?;
    fs::write(&dump, &text)?;
    table.say(format!("**{count} flows and a trace**"), megabytes(text.len() as u64));

    let ours = workspace.target.join(plan.profile).join("examples/follow_flows");
    let said = cmd!(sh, "{ours} {dump} {FLOW} 101").quiet().read()?;
    if number(&said, "notes")? != 0 || number(&said, "flows")? < 10 {
        return Err(
            format!("the flows of the benchmark are not understood, or match no packet: {said}").into()
        );
    }
    table.say("flows read, ms", number(&said, "read_ms")?.to_string());
    let trace = number(&said, "trace_us")?;
    table.aim("a warm trace, µs", trace.to_string(), "< 1000", trace < 1000);
    let (_, peak) = watched(cmd!(sh, "{ours} {dump} {FLOW} 1").quiet())?;
    let sizes = peak as f64 / text.len() as f64;
    table.aim(
        "peak memory, in multiples of the text size",
        format!("{sizes:.1} ({})", megabytes(peak)),
        "< 4",
        sizes < 4.0,
    );

    let (script, dir) = (workspace.root.join("xtask/src/bench/switch.sh"), scratch.path());
    let theirs = cmd!(sh, "bash {script} {dir} {dump} {FLOW} 11").quiet().ignore_stderr().read();
    match theirs {
        Ok(theirs) => {
            table.say("ovs-vswitchd loads the flows, ms", number(&theirs, "load_ms")?.to_string());
            table.say("a trace with ovs-appctl, µs", number(&theirs, "trace_us")?.to_string());
            table.say("memory of ovs-vswitchd", megabytes(number(&theirs, "rss_kb")? * 1024));
        }
        // Not every machine has Open vSwitch.
        Err(error) => table.say("ovs-vswitchd", format!("was not measured: {error}")),
    }
    Ok(())
}

/// Returns the number after a word.
fn number(text: &str, word: &str) -> Result<u64> {
    let found =
        text.split_whitespace().find_map(|part| part.strip_prefix(word)?.strip_prefix('=')?.parse().ok());
    found.ok_or_else(|| format!("no {word} in the output of the benchmark: {text}").into())
}

/// Returns the flows of a node of the capture, and more flows for other addresses up to the wanted number.
fn flows(workspace: &Workspace, count: usize) -> Result<String> {
    let archive = workspace.root.join("testdata/capture/nodes.tar.xz");
    let member = "nodes/ovn-worker/ovs-ofctl_dump-flows_br-int";
    let text =
        cmd!(workspace.sh, "tar --extract --xz --to-stdout --file {archive} {member}").quiet().read()?;
    // A switch refuses a flow whose group does not exist.
    let is_whole = |line: &&str| line.contains("actions=") && !line.contains("group:");
    let all: Vec<&str> = text.lines().filter(is_whole).collect();
    let mut out = String::new();
    for (number, line) in all.iter().enumerate() {
        if number < count {
            writeln!(out, "{}", line.trim().replace("/0x3f->ip_dscp", "->ip_dscp"))?;
        }
    }
    // Load balancers make most flows of a large cluster: one for each address and port of a service.
    for number in all.len()..count {
        let (third, fourth) = (number / 250 % 250, number % 250);
        writeln!(
            out,
            "cookie={number:#x}, duration=1s, table=14, n_packets=0, n_bytes=0, idle_age=1, priority=120,ct_state=+new+trk,tcp,metadata={:#x},nw_dst=10.96.{third}.{fourth},tp_dst={} actions=ct(commit,table=15,zone=NXM_NX_REG11[0..15],nat(dst=10.244.{fourth}.{third}:8080))",
            number / 62_500 + 1,
            8000 + number % 7
        )?;
    }
    Ok(out)
}
