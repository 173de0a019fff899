//! A hundred thousand OpenFlow flows and half a million connections, made of the capture's: one answer, beside reading
//! the same text with `grep`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use xshell::cmd;

use super::measure::{median, peak, wall};
use super::{Plan, Table, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

/// How many, in a full run; a quick one has a tenth.
const FLOWS: usize = 100_000;
const CONNECTIONS: usize = 500_000;

/// What is measured: the name of the recorded output, the tool with its parameters, and what `grep` looks for.
struct Question {
    what: &'static str,
    file: &'static str,
    call: &'static [&'static str],
    pattern: &'static str,
}

const QUESTIONS: [Question; 3] = [
    Question {
        what: "flows that match an address",
        file: "ovs-ofctl_-O_OpenFlow15_dump-flows_br-big",
        call: &["ovs_ofctl_dump_flows", "bridge=br-big", "match=nw_dst=10.96.150.255"],
        pattern: "nw_dst=10.96.150.255",
    },
    Question {
        what: "connections of an address",
        file: "ovs-appctl_dpctl.dump-conntrack_-m_netdev_ovs-netdev",
        call: &["ovs_appctl_dpctl_dump_conntrack", "address=10.244.7.9"],
        pattern: "10.244.7.9,",
    },
    Question {
        what: "connections by zone and state",
        file: "ovs-appctl_dpctl.dump-conntrack_-m_netdev_ovs-netdev",
        call: &["ovs_appctl_dpctl_dump_conntrack", "summary=true"],
        pattern: "zone=",
    },
];

/// Measures each.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = tempfile::tempdir()?;
    let tenth = if table.judge { 1 } else { 10 };
    let report = scratch.path().join("sosreport-big");
    let outputs = report.join("sos_commands/openvswitch");
    fs::create_dir_all(&outputs)?;
    fs::create_dir_all(report.join("etc"))?;
    fs::write(report.join("etc/hostname"), "big\n")?;
    let flows = recorded(workspace, "ovs-ofctl_dump-flows_br-int")?;
    let connections = recorded(workspace, "ovs-appctl_dpctl_dump-conntrack")?;
    fs::write(
        outputs.join(QUESTIONS[0].file),
        repeated(&flows, FLOWS / tenth, "nw_dst=10.96.", "nw_dst=10.97."),
    )?;
    fs::write(outputs.join(QUESTIONS[1].file), addressed(&connections, CONNECTIONS / tenth))?;
    table.say("**flows and connections**", format!("{} and {}", FLOWS / tenth, CONNECTIONS / tenth));
    for question in &QUESTIONS {
        one(workspace, plan, &report, &outputs.join(question.file), question, table)?;
    }
    Ok(())
}

fn one(
    workspace: &Workspace,
    plan: &Plan,
    report: &Path,
    file: &Path,
    question: &Question,
    table: &mut Table,
) -> Result {
    let sh = &workspace.sh;
    let Question { what, call, pattern, .. } = *question;
    let server = workspace.target.join(plan.profile).join("mcp-ovs");
    let ours = || cmd!(sh, "{server} --bundle {report} call {call...} node_name=big").quiet();
    let size = fs::metadata(file)?.len();
    let time = median(plan.runs, || wall(ours()))?;
    let grep = median(plan.runs, || wall(cmd!(sh, "grep --count --fixed-strings {pattern} {file}").quiet()))?;
    let memory = peak(ours())?;
    let files = memory as f64 / size as f64;
    table.say(format!("{what}, of {}", megabytes(size)), milliseconds(time));
    table.say("`grep` of the same text", milliseconds(grep));
    // The text is read once, and what does not fit is not kept.
    table.aim(
        "peak memory, in sizes of the text",
        format!("{files:.1} ({})", megabytes(memory)),
        "< 4",
        files < 4.0,
    );
    Ok(())
}

/// What a command printed on a node of the capture.
pub(super) fn recorded(workspace: &Workspace, name: &str) -> Result<String> {
    let archive = workspace.root.join("testdata/capture/nodes.tar.xz");
    let member = format!("nodes/ovn-worker/{name}");
    Ok(cmd!(workspace.sh, "tar --extract --xz --to-stdout --file {archive} {member}").quiet().read()?)
}

/// The lines of a text, over and over; after the first time with another word, so that a question has few answers.
fn repeated(text: &str, lines: usize, word: &str, other: &str) -> String {
    let all: Vec<&str> = text.lines().filter(|line| line.contains("actions=")).collect();
    let mut out = String::new();
    for (number, line) in all.iter().cycle().take(lines).enumerate() {
        let _ = match number < all.len() {
            true => writeln!(out, "{line}"),
            false => writeln!(out, "{}", line.replace(word, other)),
        };
    }
    out
}

/// Connections, each with an address of its own in place of the pods'.
pub(super) fn addressed(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| line.contains("10.244.")).collect();
    let mut out = String::new();
    for (number, line) in all.iter().cycle().take(lines).enumerate() {
        let (third, fourth) = (number / 250 % 250, number % 250);
        let _ = writeln!(out, "{}", line.replace("10.244.1.2", &format!("10.244.{third}.{fourth}")));
    }
    out
}
