//! The counters of a node, which only increase: a counter with a lower value was reset.

use std::collections::BTreeMap;

/// The commands that print counters: a name, the words of the command, and the reader of the output.
pub(super) const COUNTED: &[(&str, &str, CounterReader)] = &[
    ("iptables", "iptables-save -c", rules),
    ("ip6tables", "ip6tables-save -c", rules),
    ("nft", "nft list ruleset", pairs),
    ("OpenFlow br-int", "ovs-ofctl dump-flows br-int", pairs),
    ("OpenFlow br-ex", "ovs-ofctl dump-flows br-ex", pairs),
    ("OpenFlow ports of br-int", "ovs-ofctl dump-ports br-int", pairs),
    ("OpenFlow ports of br-ex", "ovs-ofctl dump-ports br-ex", pairs),
    ("datapath", "ovs-appctl dpctl/show -s", pairs),
    ("events", "ovs-appctl coverage/show", pairs),
    ("conntrack statistics", "conntrack -S", pairs),
    ("interfaces", "cat /proc/net/dev", columns),
    ("protocols", "nstat -zas", columns),
];

/// Reads the output of a command.
type CounterReader = fn(&str, &mut dyn FnMut(String, u64));

/// Counters by node, by command, and by the thing that they count.
#[derive(Debug, Default)]
pub(super) struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Adds the output of one of these commands on a node. Equal names are added up.
    pub(super) fn add(&mut self, node: &str, name: &str, read: CounterReader, text: &str) {
        read(text, &mut |what, count| {
            let sum = self.0.entry(format!("{node} {name}: {what}")).or_default();
            *sum = sum.saturating_add(count);
        });
    }

    /// Returns the number of counters.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the counters that are lower later. A missing counter does not count, because the counters of a flow
    /// disappear when the flow ages.
    pub(super) fn lower(&self, later: &Self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|(what, before)| {
            let after = later.0.get(what).filter(|after| *after < before)?;
            Some(format!("counter of {what}: was {before}, is {after}"))
        })
    }
}

/// Reads `[7:420] -A INPUT -j ACCEPT`, and a chain with its counters at the end.
fn rules(text: &str, say: &mut dyn FnMut(String, u64)) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((before, rest)) = line.split_once('[') else { continue };
        let Some((counts, after)) = rest.split_once(']') else { continue };
        if let Some((packets, bytes)) = counts.split_once(':') {
            for (unit, count) in [("packets", packets), ("bytes", bytes)] {
                say(format!("{before}{after} {unit}"), count.parse().unwrap_or(0));
            }
        }
    }
}

/// Names that are followed by a number that only increases.
const GROWS: &[&str] = &[
    "n_packets",
    "n_bytes",
    "packets",
    "bytes",
    "pkts",
    "drop",
    "errs",
    "frame",
    "over",
    "crc",
    "coll",
    "errors",
    "dropped",
    "overruns",
    "carrier",
    "collisions",
    "hit",
    "missed",
    "lost",
    "total",
    "found",
    "invalid",
    "insert",
    "insert_failed",
    "early_drop",
    "error",
    "search_restart",
    "clash_resolve",
    "chaintoolong",
];

/// Reads `n_packets=7, …`, `packets 7 bytes 420`, `hit:7 missed:1`, `total: 7`. A line about a port belongs to the last
/// line that names a port.
fn pairs(text: &str, say: &mut dyn FnMut(String, u64)) {
    let mut port = String::new();
    for line in text.lines() {
        // The current number of masks is not a counter.
        if line.trim_start().starts_with("masks:") {
            continue;
        }
        let line = ["packets", "bytes", "total:"].iter().fold(line.to_owned(), |line, name| {
            line.replace(&format!("{name} "), &format!("{}=", name.trim_end_matches(':')))
        });
        let line = line.trim();
        if let Some((name, _)) = line.strip_prefix("port ").and_then(|rest| rest.split_once(':')) {
            name.trim().clone_into(&mut port);
        }
        let (mut what, mut counts) = (Vec::new(), Vec::new());
        for word in line.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
            let pair = word.split_once(['=', ':']);
            match pair.and_then(|(name, count)| Some((name, count.parse::<u64>().ok()?))) {
                Some((name, count)) if GROWS.contains(&name) => counts.push((name, count)),
                // Ages and current rates are not counters.
                _ if word.ends_with("/sec") || word.contains("_age=") || word.starts_with("duration=") => {}
                _ => what.push(word),
            }
        }
        let what = what.join(" ");
        counts.into_iter().for_each(|(name, count)| say(format!("{port} {what} {name}"), count));
    }
}

/// Reads a name with the numbers after it.
fn columns(text: &str, say: &mut dyn FnMut(String, u64)) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        for (nth, count) in words.enumerate() {
            if let Ok(count) = count.parse() {
                say(format!("{name} {nth}"), count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(read: CounterReader, before: &str, after: &str) -> usize {
        let of = |text: &str| {
            let mut counters = Counters::default();
            counters.add("node", "name", read, text);
            assert!(counters.len() > 0, "{text}");
            counters
        };
        of(before).lower(&of(after)).count()
    }

    #[test]
    fn a_counter_that_went_down_is_found_in_each_form() {
        let forms: [(CounterReader, &str, &str); 7] = [
            (
                rules,
                ":INPUT ACCEPT [7:420]\n[3:180] -A INPUT -j DROP",
                ":INPUT ACCEPT [8:480]\n[0:0] -A INPUT -j DROP",
            ),
            (
                pairs,
                "\t\tip daddr 1.2.3.4 counter packets 7 bytes 420 drop",
                "\t\tip daddr 1.2.3.4 counter packets 0 bytes 0 drop",
            ),
            (
                pairs,
                " cookie=0x1, duration=9.1s, table=0, n_packets=7, n_bytes=420, idle_age=1, priority=5 actions=drop",
                " cookie=0x1, duration=99.1s, table=0, n_packets=0, n_bytes=0, idle_age=9, priority=5 actions=drop",
            ),
            (
                pairs,
                "  port  \"eth0\": rx pkts=7, bytes=420, drop=0\n           tx pkts=1, bytes=1, drop=0",
                "  port  \"eth0\": rx pkts=9, bytes=999, drop=0\n           tx pkts=0, bytes=0, drop=0",
            ),
            (
                pairs,
                "  lookups: hit:7 missed:5 lost:0\n  flows: 9",
                "  lookups: hit:1 missed:1 lost:0\n  flows: 3",
            ),
            (
                pairs,
                "a  0.0/sec 0.1/sec  total: 7\nb  0.0/sec 0.1/sec  total: 7",
                "a  9.0/sec 9.1/sec  total: 9\nb  0.0/sec 0.1/sec  total: 6",
            ),
            (columns, "  eth0: 420 7 0\nIpInReceives 5 0.0", "  eth0: 999 9 0\nIpInReceives 1 0.0"),
        ];
        let found =
            forms.map(|(read, before, after)| (lower(read, before, after), lower(read, after, after)));
        assert_eq!(found, [(2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (1, 0), (1, 0)]);
    }
}
