//! Any single change to a route, a rule or an address of one node shows in the comparison of all nodes, or the answer
//! says that it is not compared.
//!
//! The changes are random. `CHANGES_SEED=<seed>` repeats a run, and `CHANGES=<number>` sets the number of changes.

use mcp_testing::{Failed, RandomChanges, answer_uncut, other_letter, unpack, with_line};
use serde_json::json;
use std::{fs, path::Path};

const NODES: [&str; 3] = ["ovn-control-plane", "ovn-worker", "ovn-worker2"];

/// The tools, and the recorded outputs that they read.
const OUTPUTS: [(&str, &str); 6] = [
    ("ip_route_show", "networking/ip_route_show_table_all"),
    ("ip_rule_show", "networking/ip_-4_rule_list"),
    ("ip_addr_show", "networking/ip_-d_address"),
    ("nft_list_ruleset", "firewall_tables/nft_-a_list_ruleset"),
    ("iptables_save", "networking/iptables-save"),
    ("iptables_save", "networking/ip6tables-save"),
];

fn ask(dir: &Path, tool: &str, grep: Option<&str>) -> Result<String, Failed> {
    let mut params = json!({ "node_name": "all" });
    if let Some(grep) = grep {
        params.as_object_mut().ok_or("an object")?.insert("grep".into(), grep.into());
    }
    answer_uncut(mcp_kernel::layer(), vec![dir.to_owned()], tool, params)
}

/// Returns the lines of an answer without its heading and its summary.
fn told(answer: &str) -> Vec<&str> {
    let is_summary = |line: &&str| {
        ["# ", "different: ", "compared and equal: ", "on one node only"]
            .iter()
            .any(|it| line.starts_with(it))
    };
    answer.lines().filter(|line| !is_summary(line)).collect()
}

/// Returns true if the tool compares the line. Lines that only enclose others are not compared, nor is table local,
/// which is shown only on request.
fn is_compared(tool: &str, line: &str) -> bool {
    match tool {
        "nft_list_ruleset" => line.starts_with("\t\t") && !line.trim().is_empty() && !line.ends_with('{'),
        "iptables_save" => line.starts_with(['-', ':']),
        "ip_addr_show" => line.trim_start().starts_with("inet"),
        _ => !line.trim().is_empty() && !line.contains("table local"),
    }
}

/// Returns the words of a line that may be changed, without counters, handles and remaining times, which no tool
/// compares.
fn places(tool: &str, line: &str) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    let (mut from, mut before) = (0, "");
    for word in line.split_inclusive(char::is_whitespace) {
        let text = word.trim_end();
        let is_count = matches!(before, "packets" | "bytes" | "handle" | "expires" | "#")
            || matches!(
                text,
                "#" | "handle" | "packets" | "bytes" | "expires" | "elements" | "=" | "{" | "}"
            );
        // iptables prints its counters as `[12:345]`.
        let is_counter = tool == "iptables_save" && text.starts_with('[');
        if !is_count && !is_counter && !text.is_empty() {
            places.push((from, from + text.len()));
        }
        (from, before) = (from + word.len(), text);
    }
    places
}

/// Changes one character of a line (`Some(Some(line))`) or removes the line (`Some(None)`). Returns `None` if no word
/// may be changed.
fn changed(tool: &str, line: &str, rng: &mut fastrand::Rng) -> Option<Option<String>> {
    if rng.u8(0..3) == 0 {
        return Some(None);
    }
    let (from, to) = rng.choice(places(tool, line))?;
    let word = &line[from..to];
    let at = from + rng.choice(word.char_indices().map(|(at, _)| at).collect::<Vec<_>>())?;
    let letter = line[at..].chars().next()?;
    let new = format!("{}{}{}", &line[..at], other_letter(letter), &line[at + letter.len_utf8()..]);
    Some(Some(new))
}

/// Returns the pattern that finds the row of a line, which is the longest word.
fn pattern(line: &str) -> String {
    let word = line.split_whitespace().max_by_key(|word| word.len()).unwrap_or_default();
    word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect()
}

/// Returns true if only the address of a line changed and the answer calls it the node's own. These reports have no
/// Node objects, so nobody knows which address a node should have.
fn is_own_address(tool: &str, line: &str, change: Option<&str>, answer: &str) -> bool {
    // The second word is the address with the length of its prefix.
    let others = |line: &str| -> Vec<String> {
        let words = line.split_whitespace().enumerate();
        let other = |(at, word): (usize, &str)| match word.split_once('/') {
            Some((_, length)) if at == 1 => length.to_owned(),
            _ => word.to_owned(),
        };
        words.map(other).collect()
    };
    let interface = line.split_whitespace().last().unwrap_or_default();
    tool == "ip_addr_show"
        && change.is_some_and(|change| others(change) == others(line))
        && answer.contains(&format!("{interface} inet <node {interface} address>"))
}

#[test]
fn any_change_of_a_route_a_rule_or_an_address_is_shown() -> Result<(), Failed> {
    let RandomChanges { mut rng, wanted } = RandomChanges::from_environment();
    let dir = tempfile::tempdir()?;
    unpack("kernel/nodes.tar.xz", dir.path())?;
    let (mut different, mut of_one, mut missed) = (0, 0, Vec::new());
    while different + of_one + missed.len() < wanted {
        let (tool, output) = rng.choice(OUTPUTS).ok_or("no output")?;
        let node = rng.choice(NODES).ok_or("no node")?;
        let file = dir.path().join(format!("sosreport-{node}-2026-11-22-kernel/sos_commands/{output}"));
        let original = fs::read_to_string(&file)?;
        let lines: Vec<&str> = original.lines().collect();
        let candidates: Vec<usize> = (0..lines.len()).filter(|at| is_compared(tool, lines[*at])).collect();
        let Some(at) = rng.choice(&candidates).copied() else { continue };
        let Some(change) = changed(tool, lines[at], &mut rng) else { continue };
        let before = ask(dir.path(), tool, None)?;
        fs::write(&file, with_line(&lines, at, change.as_deref()))?;
        let after = ask(dir.path(), tool, None)?;
        fs::write(&file, &original)?;
        let alone = ask(dir.path(), tool, Some(&pattern(lines[at])))?;
        if told(&before) != told(&after) {
            different += 1;
        } else if alone.contains("on one node only, by design: ")
            || is_own_address(tool, lines[at], change.as_deref(), &after)
        {
            of_one += 1;
        } else {
            missed.push(format!("{tool} of {node}: {:?} became {change:?}\n{after}", lines[at]));
        }
    }
    println!("{different} different, {of_one} of one node only");
    assert!(
        missed.is_empty(),
        "{} of {wanted} changes are not shown:\n{}",
        missed.len(),
        missed.join("\n\n")
    );
    assert!(different >= wanted / 4, "most changes are not compared");
    Ok(())
}
