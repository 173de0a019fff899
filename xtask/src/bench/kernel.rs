//! Half a million connections of the kernel, twenty thousand rules of nftables and as many routes, in the form in which
//! sosreport records them: one answer of mcp-kernel, beside reading the same text with `cat`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use xshell::cmd;

use super::flows::{addressed, recorded};
use super::measure::{median, peak, wall};
use super::{Plan, Table, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

/// How many, in a full run; a quick one has a tenth.
const CONNECTIONS: usize = 500_000;
const RULES: usize = 20_000;
const ROUTES: usize = 20_000;

/// What is asked of which recorded output.
struct Question {
    what: &'static str,
    file: &'static str,
    call: &'static [&'static str],
}

const CONNTRACK: &str = "conntrack/conntrack_-L_-o_extended";
const NFT: &str = "firewall_tables/nft_-a_list_ruleset";
const ROUTE: &str = "networking/ip_route_show_table_all";
const RULE: &str = "networking/ip_-4_rule_list";

const QUESTIONS: [Question; 4] = [
    Question { what: "connections, by zone and state", file: CONNTRACK, call: &["conntrack_list"] },
    Question {
        what: "connections of an address",
        file: CONNTRACK,
        call: &["conntrack_list", "address=10.244.7.9"],
    },
    Question { what: "rules about a port", file: NFT, call: &["nft_list_ruleset", "port=1700"] },
    Question {
        what: "the route to an address, worked out",
        file: ROUTE,
        call: &["ip_route_show", "get=10.3.7.9"],
    },
];

/// Measures each.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = tempfile::tempdir()?;
    let tenth = if table.judge { 1 } else { 10 };
    let report = scratch.path().join("sosreport-big");
    let put = |path: &str, text: String| {
        let file = report.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&report))?;
        fs::write(file, text)
    };
    put("etc/hostname", "big\n".into())?;
    let connections = addressed(&recorded(workspace, "conntrack_L")?, CONNECTIONS / tenth);
    put(&format!("sos_commands/{CONNTRACK}"), connections)?;
    put(&format!("sos_commands/{NFT}"), rules(RULES / tenth))?;
    put(&format!("sos_commands/{ROUTE}"), routes(ROUTES / tenth))?;
    put(&format!("sos_commands/{RULE}"), "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n".into())?;
    table.say(
        "**the kernel's connections, rules and routes**",
        format!("{}, {} and {}", CONNECTIONS / tenth, RULES / tenth, ROUTES / tenth),
    );
    for question in &QUESTIONS {
        one(workspace, plan, &report, question, table)?;
    }
    Ok(())
}

fn one(workspace: &Workspace, plan: &Plan, report: &Path, question: &Question, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let Question { what, file, call } = *question;
    let file = report.join("sos_commands").join(file);
    let server = workspace.target.join(plan.profile).join("mcp-kernel");
    let ours = || cmd!(sh, "{server} --bundle {report} call {call...} node_name=big").quiet();
    let size = fs::metadata(&file)?.len();
    let time = median(plan.runs, || wall(ours()))?;
    let cat = median(plan.runs, || wall(cmd!(sh, "cat {file}").quiet()))?;
    let memory = peak(ours())?;
    let answer = ours().ignore_stderr().read()?.len();
    let files = memory as f64 / size as f64;
    table.say(format!("{what}, of {}", megabytes(size)), milliseconds(time));
    table.say("`cat` of the same text", milliseconds(cat));
    table.say("peak memory, in sizes of the text", format!("{files:.1} ({})", megabytes(memory)));
    table.aim("the answer", format!("{answer} bytes"), "<= 24000 bytes", answer <= 24_000);
    Ok(())
}

/// A chain of rules as nft lists them, each about another address and port.
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

/// Routes as a BGP daemon makes them.
fn routes(count: usize) -> String {
    let mut text = String::from("default via 172.18.0.1 dev br-ex \n");
    for n in 0..count {
        let (a, b) = (n / 250 % 250, n % 250);
        let _ = writeln!(text, "10.{a}.{b}.0/24 via 172.18.0.1 dev br-ex proto bgp metric 20 ");
    }
    text
}
