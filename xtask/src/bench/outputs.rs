//! A hundred thousand flows, half a million connections, twenty thousand rules of nftables and as many routes, in the
//! form in which sosreport records them, and from the lines of the capture if it has such lines. Measures one answer of
//! a server, next to ripgrep on the same text.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use xshell::cmd;

use super::measure::{median, peak, wall};
use super::{Plan, Table, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

/// The numbers of lines in a full run; a quick run has a tenth.
const FLOWS: usize = 100_000;
const CONNECTIONS: usize = 500_000;
const RULES: usize = 20_000;
const ROUTES: usize = 20_000;

/// The upper limit of an answer in bytes.
const BOUND: usize = 24_000;

/// The folder in which sosreport puts recorded outputs.
const OPENFLOW: &str = "openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-big";
const DATAPATH: &str = "openvswitch/ovs-appctl_dpctl.dump-conntrack_-m_netdev_ovs-netdev";
const CONNTRACK: &str = "conntrack/conntrack_-L_-o_extended";
const NFT: &str = "firewall_tables/nft_-a_list_ruleset";
const ROUTE: &str = "networking/ip_route_show_table_all";
const RULE: &str = "networking/ip_-4_rule_list";

/// A question to a server about a recorded output, and the pattern that ripgrep counts in it.
struct Question {
    what: &'static str,
    server: &'static str,
    file: &'static str,
    call: &'static [&'static str],
    pattern: &'static str,
}

const QUESTIONS: [Question; 7] = [
    Question {
        what: "flows that match an address",
        server: "mcp-ovs",
        file: OPENFLOW,
        call: &["ovs_ofctl_dump_flows", "bridge=br-big", "match=nw_dst=10.96.150.255"],
        pattern: "nw_dst=10.96.150.255",
    },
    Question {
        what: "the datapath's connections of an address",
        server: "mcp-ovs",
        file: DATAPATH,
        call: &["ovs_appctl_dpctl_dump_conntrack", "address=10.244.7.9"],
        pattern: "10.244.7.9,",
    },
    Question {
        what: "the datapath's connections by zone and state",
        server: "mcp-ovs",
        file: DATAPATH,
        call: &["ovs_appctl_dpctl_dump_conntrack", "summary=true"],
        pattern: "zone=",
    },
    Question {
        what: "the kernel's connections of an address",
        server: "mcp-kernel",
        file: CONNTRACK,
        call: &["conntrack_list", "address=10.244.7.9"],
        pattern: "10.244.7.9 ",
    },
    Question {
        what: "the kernel's connections by zone and state",
        server: "mcp-kernel",
        file: CONNTRACK,
        call: &["conntrack_list"],
        pattern: "ASSURED",
    },
    Question {
        what: "rules that match a port",
        server: "mcp-kernel",
        file: NFT,
        call: &["nft_list_ruleset", "port=1700"],
        pattern: "dport 1700 ",
    },
    Question {
        what: "the computed route to an address",
        server: "mcp-kernel",
        file: ROUTE,
        call: &["ip_route_show", "get=10.3.7.9"],
        pattern: "10.3.7.",
    },
];

/// Measures each question.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = workspace.sh.create_temp_dir()?;
    let report = scratch.path().join("sosreport-big");
    write(workspace, &report, if plan.quick { 10 } else { 1 })?;
    QUESTIONS.iter().try_for_each(|question| one(workspace, plan, &report, question, table))
}

fn one(workspace: &Workspace, plan: &Plan, report: &Path, question: &Question, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let Question { what, server, file, call, pattern } = *question;
    let file = report.join("sos_commands").join(file);
    let server = workspace.target.join(plan.profile).join(server);
    let ours = || cmd!(sh, "{server} --bundle {report} call {call...} node_name=big").quiet();
    let size = fs::metadata(&file)?.len();
    let lines = cmd!(sh, "grep --count ^ {file}").quiet().read()?;
    table.say(format!("**{what}**"), format!("{lines} lines, {}", megabytes(size)));
    table.say("one answer of a new process", milliseconds(median(plan.runs, || wall(ours()))?));
    // grep(1) would stop at the first match, because it notices that its output is discarded.
    let rg = || wall(cmd!(sh, "rg --count --fixed-strings {pattern} {file}").quiet());
    table.say("`rg -c` in the same text", milliseconds(median(plan.runs, rg)?));
    let peak = peak(ours())?;
    let sizes = peak as f64 / size as f64;
    let memory = format!("{sizes:.1} ({})", megabytes(peak));
    // The text is read once, and excess lines are not kept. For a small text the process itself needs more memory.
    table.aim(
        "peak memory, in multiples of the text size",
        memory,
        "< 4, or 50 MB",
        sizes < 4.0 || peak < 50_000_000,
    );
    let answer = ours().ignore_stderr().read()?.len();
    table.aim("bytes of the answer", answer.to_string(), "<= 24000", answer <= BOUND);
    Ok(())
}

/// Writes a report with these outputs, or with one output of this number of lines.
fn write(workspace: &Workspace, report: &Path, one_in: usize) -> Result {
    let put = |path: &str, text: String| {
        let file = report.join(path);
        fs::create_dir_all(file.parent().unwrap_or(report))?;
        fs::write(file, text)
    };
    let output = |file: &str, text: String| put(&format!("sos_commands/{file}"), text);
    put("etc/hostname", "big\n".into())?;
    let flows = recorded(workspace, "ovs-ofctl_dump-flows_br-int")?;
    output(OPENFLOW, repeated(&flows, FLOWS / one_in, "nw_dst=10.96.", "nw_dst=10.97."))?;
    for (file, name) in [(DATAPATH, "ovs-appctl_dpctl_dump-conntrack"), (CONNTRACK, "conntrack_L")] {
        output(file, addressed(&recorded(workspace, name)?, CONNECTIONS / one_in))?;
    }
    output(NFT, rules(RULES / one_in))?;
    output(ROUTE, routes(ROUTES / one_in))?;
    Ok(output(RULE, "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n".into())?)
}

/// Returns the output of a command on a node of the capture.
fn recorded(workspace: &Workspace, name: &str) -> Result<String> {
    let archive = workspace.root.join("testdata/capture/nodes.tar.xz");
    let member = format!("nodes/ovn-worker/{name}");
    Ok(cmd!(workspace.sh, "tar --extract --xz --to-stdout --file {archive} {member}").quiet().read()?)
}

/// Repeats the lines of a text. After the first time it replaces a word, so that a question has few answers.
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

/// Writes connections, each with its own address in place of the pods' address.
fn addressed(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| line.contains("10.244.")).collect();
    let mut out = String::new();
    for (number, line) in all.iter().cycle().take(lines).enumerate() {
        let (third, fourth) = (number / 250 % 250, number % 250);
        let _ = writeln!(out, "{}", line.replace("10.244.1.2", &format!("10.244.{third}.{fourth}")));
    }
    out
}

/// Writes a chain of rules as nft lists them, each about another address and port.
fn rules(count: usize) -> String {
    let mut text = String::from("table ip big { # handle 1\n\tchain services { # handle 1\n");
    for n in 0..count {
        let (a, b, port) = (n / 250 % 250, n % 250, 1000 + n % 60_000);
        let _ = writeln!(
            text,
            "\t\tip daddr 10.96.{a}.{b} tcp dport {port} counter packets {n} bytes {n} accept # handle {n}"
        );
    }
    text + "\t}\n}\n"
}

/// Writes routes as a BGP daemon makes them.
fn routes(count: usize) -> String {
    let mut text = String::from("default via 172.18.0.1 dev br-ex \n");
    for n in 0..count {
        let (a, b) = (n / 250 % 250, n % 250);
        let _ = writeln!(text, "10.{a}.{b}.0/24 via 172.18.0.1 dev br-ex proto bgp metric 20 ");
    }
    text
}
