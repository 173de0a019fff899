//! Translated connections, by which a packet is recognised behind a translation of its addresses.

use capture::tuple::{End, Protocol, Tuple};
use mcp_core::must_stop;
use ovn_model::conntrack::{Direction, Entry};
use std::collections::BTreeSet;

/// The maximum number of translated connections that are kept with a capture, for each node.
const MOST: usize = 20_000;

/// The packets of a connection before and after a translation, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Translated {
    pub(crate) before: Tuple,
    pub(crate) after: Tuple,
}

/// Returns the lines of the connections that translate addresses or ports.
pub(crate) fn translated(connections: &str) -> String {
    let mut kept = String::new();
    let lines = connections.lines().take_while(|_| !must_stop());
    for line in lines.filter(|line| of_line(line).is_some()).take(MOST) {
        kept += line;
        kept.push('\n');
    }
    kept
}

/// Returns the translations in the lines of [`translated`], both directions of each connection.
pub(crate) fn parse(lines: &str) -> BTreeSet<Translated> {
    let there = lines.lines().filter_map(of_line);
    there
        .flat_map(|it| [it, Translated { before: it.after.reversed(), after: it.before.reversed() }])
        .collect()
}

/// Returns the translation of the packets that a client sends, if the line is a translated connection.
fn of_line(line: &str) -> Option<Translated> {
    let entry = Entry::parse(line)?;
    let protocol = match entry.protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        "icmp" => Protocol::Icmp,
        "icmpv6" => Protocol::Icmpv6,
        _ => return None,
    };
    let (original, reply) = (entry.original()?, entry.reply()?);
    let (before, after) = (tuple(protocol, original), tuple(protocol, reply.reversed()));
    (before != after).then_some(Translated { before, after })
}

fn tuple(protocol: Protocol, direction: Direction) -> Tuple {
    let Direction { source, destination, source_port, destination_port } = direction;
    Tuple {
        protocol,
        source: End { address: source, port: source_port },
        destination: End { address: destination, port: destination_port },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `ovs-appctl dpctl/dump-conntrack` of the project's lab.
    const LINES: &str = "\
tcp,orig=(src=10.244.0.4,dst=10.96.0.80,sport=49152,dport=80),reply=(src=10.244.1.5,dst=10.244.0.4,sport=8080,dport=49152),zone=8,mark=2,protoinfo=(state=TIME_WAIT)
tcp,orig=(src=10.244.0.4,dst=10.244.1.5,sport=49152,dport=8080),reply=(src=10.244.1.5,dst=10.244.0.4,sport=8080,dport=49152),zone=9,protoinfo=(state=TIME_WAIT)
icmp,orig=(src=10.244.0.4,dst=172.18.0.1,id=7,type=8,code=0),reply=(src=172.18.0.1,dst=172.18.0.2,id=7,type=0,code=0),zone=64001
";

    #[test]
    fn only_translated_connections_are_kept() {
        let kept = translated(LINES);
        assert_eq!(kept.lines().count(), 2, "{kept}");
        let shown: Vec<String> =
            parse(&kept).iter().map(|it| format!("{} is {}", it.before, it.after)).collect();
        assert_eq!(
            shown,
            [
                "TCP 10.244.0.4:49152 > 10.96.0.80:80 is TCP 10.244.0.4:49152 > 10.244.1.5:8080",
                "TCP 10.244.1.5:8080 > 10.244.0.4:49152 is TCP 10.96.0.80:80 > 10.244.0.4:49152",
                "ICMP 10.244.0.4 > 172.18.0.1 is ICMP 172.18.0.2 > 172.18.0.1",
                "ICMP 172.18.0.1 > 172.18.0.2 is ICMP 172.18.0.1 > 10.244.0.4",
            ]
        );
    }
}
