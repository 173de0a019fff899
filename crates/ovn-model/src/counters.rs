//! Counters by name in the output of Open vSwitch, which can be sampled twice.

use openflow::Ports;
use std::collections::BTreeMap;

/// The values of counters by name.
pub type Counters = BTreeMap<String, u64>;

/// Parses `coverage/show` (ovs-appctl(8)): the number of times that each event happened. Events that never happened
/// are not printed.
pub fn coverage(text: &str) -> Counters {
    let counter = |line: &str| {
        let (event, total) = line.split_once("total:")?;
        Some((event.split_whitespace().next()?.to_owned(), total.trim().parse().ok()?))
    };
    text.lines().filter_map(counter).collect()
}

/// Parses `dpctl/show -s`: the lookups of each datapath and the packets of each of its ports.
pub fn datapaths(text: &str) -> Counters {
    let (mut counters, mut of) = (Counters::new(), String::new());
    for line in text.lines() {
        let trimmed = line.trim();
        if !line.starts_with(' ') {
            of = trimmed.trim_end_matches(':').to_owned();
        } else if let Some(port) = trimmed.strip_prefix("port ") {
            let name = port.split_once(": ").map_or(port, |(_, name)| name);
            of = name.split(" (").next().unwrap_or(name).to_owned();
        } else if !trimmed.starts_with("flows:")
            && !trimmed.starts_with("caches:")
            && !trimmed.starts_with("cache:")
        {
            let mut group = "";
            for word in trimmed.split_whitespace() {
                match word.split_once(':') {
                    Some((name, value)) => {
                        // The forms are `lookups: hit:1` and `collisions:0`.
                        group = if value.is_empty() { name } else { group };
                        if let Ok(value) = value.parse() {
                            counters.insert([&of, group, name].join(" ").replace("  ", " "), value);
                        }
                    }
                    None if word.bytes().all(|b| b.is_ascii_uppercase()) => group = word,
                    None => {}
                }
            }
        }
    }
    // The current number of masks is not a counter.
    counters.retain(|name, _| !name.contains(" masks total"));
    counters
}

/// Parses `dpif-netdev/pmd-stats-show`: the work of each thread of the userspace datapath. Averages are left out.
pub fn threads(text: &str) -> Counters {
    let (mut counters, mut thread) = (Counters::new(), String::new());
    for line in text.lines() {
        match line.trim().split_once(':') {
            Some((name, "")) => thread = name.to_owned(),
            Some((name, value)) if !name.starts_with("avg") => {
                let value = value.split_whitespace().next().and_then(|value| value.parse().ok());
                counters.extend(value.map(|value| (format!("{thread}: {name}"), value)));
            }
            _ => {}
        }
    }
    counters
}

/// Parses `dump-ports` (ovs-ofctl(8)): the receive and transmit counters of each port.
pub fn ports(text: &str, ports: &Ports) -> Counters {
    port_statistics(text)
        .into_iter()
        .flat_map(|(port, values)| {
            let name = ports.name(&port).unwrap_or(&port).to_owned();
            values.into_iter().map(move |(counter, value)| (format!("{name} {counter}"), value))
        })
        .collect()
}

/// Parses the counters of each port by its number or `LOCAL`, in the order of the output. A counter that a device
/// does not have is printed as `?` and left out.
pub fn port_statistics(text: &str) -> Vec<(String, Vec<(String, u64)>)> {
    let mut all: Vec<(String, Vec<(String, u64)>)> = Vec::new();
    for line in text.lines().map(str::trim) {
        let rest = match line.strip_prefix("port ").and_then(|rest| rest.split_once(": ")) {
            Some((port, rest)) => {
                all.push((port.trim().trim_matches('"').to_owned(), Vec::new()));
                rest
            }
            None => line,
        };
        let (Some((direction @ ("rx" | "tx"), counters)), Some((_, values))) =
            (rest.split_once(' '), all.last_mut())
        else {
            continue;
        };
        for (name, value) in counters.split(", ").filter_map(|part| part.split_once('=')) {
            values.extend(value.parse().ok().map(|value| (format!("{direction} {name}"), value)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(counters: &Counters) -> Vec<String> {
        counters.iter().map(|(name, value)| format!("{name} = {value}")).collect()
    }

    #[test]
    fn counters_of_each_program() {
        // The output of Open vSwitch 3.1 and 4.0.
        let text = "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=19ee1694:\n\
                    bridge_reconfigure         0.0/sec     0.000/sec        0.0067/sec   total: 24\n108 events never hit\n";
        assert_eq!(lines(&coverage(text)), ["bridge_reconfigure = 24"]);
        let text = "netdev@ovs-netdev:\n  lookups: hit:46460 missed:678 lost:3\n  flows: 18\n  masks: hit:646 total:3 hit/pkt:5.87\n  port 2: eth0\n    RX packets:14041 errors:0\n    TX packets:21597 aborted:?\n    collisions:0\n    RX bytes:17605058 (16.8 MiB)  TX bytes:5774215 (5.5 MiB)\n  port 3: br-int (tap)\n    RX packets:7\n";
        assert_eq!(
            lines(&datapaths(text)),
            [
                "br-int RX packets = 7",
                "eth0 RX bytes = 17605058",
                "eth0 RX errors = 0",
                "eth0 RX packets = 14041",
                "eth0 TX bytes = 5774215",
                "eth0 TX packets = 21597",
                "eth0 collisions = 0",
                "netdev@ovs-netdev lookups hit = 46460",
                "netdev@ovs-netdev lookups lost = 3",
                "netdev@ovs-netdev lookups missed = 678",
                "netdev@ovs-netdev masks hit = 646",
            ]
        );
        let text = "main thread:\n  packets received: 718\n  avg. datapath passes per packet: 2.50\n  emc hits: 16\n";
        assert_eq!(
            lines(&threads(text)),
            ["main thread: emc hits = 16", "main thread: packets received = 718"]
        );
        let text = "OFPST_PORT reply (OF1.5) (xid=0x2): 2 ports\n  port  4: rx pkts=184, bytes=14818, drop=0, errs=?\n           tx pkts=195, bytes=17525, drop=0\n           duration=95.996s\n  port LOCAL: rx pkts=1\n";
        assert_eq!(
            lines(&ports(text, &Ports::of([(4, "web")]))),
            [
                "LOCAL rx pkts = 1",
                "web rx bytes = 14818",
                "web rx drop = 0",
                "web rx pkts = 184",
                "web tx bytes = 17525",
                "web tx drop = 0",
                "web tx pkts = 195",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(.*\n){0,5}|( *port [0-9]*:? ?[rt]x [a-z=:, 0-9?]*\n){0,5}") {
            _ = (coverage(&text), datapaths(&text), threads(&text), port_statistics(&text));
        }
    }
}
