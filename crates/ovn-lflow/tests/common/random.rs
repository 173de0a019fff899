//! Generates random packets that reach many flows.

use ovn_lflow::{Port, Zone, lex};
use ovsdb::Rows;
use std::collections::BTreeMap;

/// The numbers that occur in flows, by their notation.
pub(crate) type Numbers = BTreeMap<u8, Vec<String>>;

/// A small pseudorandom number generator (Steele et al., SplitMix64). The same seed gives the same packets.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.next() as usize % all.len().max(1))
    }
}

/// Collects the numbers in the flows, because packets with these numbers reach the most flows.
pub(crate) fn numbers(rows: &[Rows]) -> Numbers {
    let mut found = Numbers::new();
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

/// Returns a datapath, and a packet that enters through one of its ports.
pub(crate) fn packet(random: &mut Random, zone: &Zone, numbers: &Numbers) -> Option<(String, String)> {
    let ports: Vec<&Port> = zone.ports().filter(|port| port.kind != "chassisredirect").collect();
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
    let datapath = zone.datapaths.get(port.datapath)?.uuid.to_string();
    let inport = lex::quote(&port.name);
    Some((datapath, format!("inport == {inport} && eth.src == {source} && eth.dst == {target} && {rest}")))
}

/// Removes the matches and UUIDs of flows from a trace, because the two programs may take different equivalent flows.
pub(crate) fn without_flows(text: &str) -> String {
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
