//! Compares with the real ovn-trace on random packets.
//!
//! `compare generate <database> <count> <seed>` prints packets, one a line. Let the real program trace each, and write
//! into a file, for each, the packet, a newline, what the program printed, and a zero byte. Then
//! `compare check <database> <file>` says which of them differ from every branch of ours.

use ovn_lflow::{Semantics, Zone, lex, tree};
use ovsdb::{Database, Rows, SelectError};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{self, Write as _},
};

/// A small generator of numbers that look random (Steele et al., SplitMix64): the same seed gives the same packets.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.next() as usize % all.len().max(1))
    }
}

/// The numbers that flows write, by how they write them: packets of these reach more flows than any others.
fn numbers(rows: &[Rows]) -> BTreeMap<u8, Vec<String>> {
    let mut found: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|rows| rows.table.name == "Logical_Flow").flat_map(|rows| &rows.rows) {
        for column in ["match", "actions"] {
            for (_, token) in lex::tokens(row.text(column).unwrap_or_default()).unwrap_or_default() {
                if let lex::Token::Number(lex::Number { value, mask: None, format }) = token {
                    let number = lex::Number { value, mask: None, format };
                    found.entry(format as u8).or_default().push(number.to_string());
                }
            }
        }
    }
    for numbers in found.values_mut() {
        numbers.sort();
        numbers.dedup();
    }
    found
}

fn packet(random: &mut Random, zone: &Zone, numbers: &BTreeMap<u8, Vec<String>>) -> Option<String> {
    let ports: Vec<&str> =
        zone.ports().filter(|port| port.kind != "chassisredirect").map(|port| port.name.as_str()).collect();
    let mut pick = |format: lex::Format| random.of(numbers.get(&(format as u8))?).cloned();
    let (source, target) = (pick(lex::Format::Mac)?, pick(lex::Format::Mac)?);
    let (from, to) = (pick(lex::Format::Ip4)?, pick(lex::Format::Ip4)?);
    let six = (pick(lex::Format::Ip6), pick(lex::Format::Ip6));
    let number: Option<u64> = pick(lex::Format::Decimal)?.parse().ok();
    let number = number.filter(|number| *number < 65536).unwrap_or(80);
    let port = random.of(&ports)?;
    let kinds = ["tcp", "udp", "icmp4", "arp", "tcp", "udp", "ip6", "plain"];
    let rest = match *random.of(&kinds)? {
        "icmp4" => format!(
            "ip4.src == {from} && ip4.dst == {to} && ip.ttl == 64 && icmp4.type == 8 && icmp4.code == 0"
        ),
        "arp" => format!("arp.op == 1 && arp.spa == {from} && arp.tpa == {to} && arp.sha == {source}"),
        "ip6" => {
            let (from, to) = (six.0?, six.1?);
            format!(
                "ip6.src == {from} && ip6.dst == {to} && ip.ttl == 64 && tcp.src == 40000 && tcp.dst == {number}"
            )
        }
        "plain" => "eth.type == 0x1234".to_owned(),
        kind => format!(
            "ip4.src == {from} && ip4.dst == {to} && ip.ttl == 64 && {kind}.src == 40000 && {kind}.dst == {number}"
        ),
    };
    Some(format!("inport == {} && eth.src == {source} && eth.dst == {target} && {rest}", lex::quote(port)))
}

/// Without what says which of several flows that do the same was taken: their matches and rows.
fn without_flows(text: &str) -> String {
    let line = |line: &str| match (line.find(": "), line.rfind(", priority ")) {
        (Some(from), Some(to)) if from < to => {
            let priority = line.get(to..).unwrap_or_default();
            let priority = priority.split(", uuid").next().unwrap_or_default();
            format!(
                "{}{priority}\n",
                line.get(..from).unwrap_or_default().split(" (").next().unwrap_or_default()
            )
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path, third, rest @ ..] = arguments.as_slice() else {
        return Err("generate or check?".into());
    };
    let database = Database::open(fs::read(path)?)?;
    let selects = Zone::selects(database.schema());
    let rows: Vec<Rows> = selects.iter().map(|it| database.select(it)).collect::<Result<_, SelectError>>()?;
    let zone = Zone::new(&rows, Semantics::OvnTrace);
    let mut out = io::stdout().lock();
    if what == "generate" {
        let mut random = Random(rest.first().ok_or("which seed?")?.parse()?);
        let numbers = numbers(&rows);
        for _ in 0..third.parse::<usize>()? {
            if let Some(packet) = packet(&mut random, &zone, &numbers) {
                writeln!(out, "{packet}")?;
            }
        }
        return Ok(());
    }
    let (mut same, mut different) = (0, 0);
    for record in fs::read_to_string(third)?.split('\0').filter(|record| !record.trim().is_empty()) {
        let (packet, printed) = record.split_once('\n').ok_or("a record has no output")?;
        let wanted: String =
            printed.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let trace = zone.trace(&zone.start(packet)?);
        let ours: Vec<String> = trace.branches.iter().map(|branch| tree::detailed(&branch.lines)).collect();
        if ours.iter().any(|ours| without_flows(ours) == without_flows(&wanted)) {
            same += 1;
        } else {
            different += 1;
            writeln!(
                out,
                "=== {packet}\n--- ovn-trace\n{wanted}--- ours, the first of {}\n{}",
                ours.len(),
                ours.first().map_or("", String::as_str)
            )?;
        }
    }
    writeln!(out, "{same} alike, {different} different")?;
    Ok(())
}
