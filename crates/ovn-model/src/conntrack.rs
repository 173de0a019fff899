//! Tracked connections, as `ovs-appctl dpctl/dump-conntrack` prints them (ovs-vswitchd(8)).
//!
//! ```text
//! tcp,orig=(src=10.244.0.2,dst=10.244.0.5,dport=8080),reply=(src=…),id=0,zone=17,protoinfo=(state=CLOSING)
//! ```

use openflow::tokens;
use std::{collections::BTreeMap, fmt, net::IpAddr};

/// A connection, split into the parts of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The protocol: `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or a number.
    pub protocol: &'a str,
    /// All other parts: `orig` and its value with the brackets, `zone`, `mark`, `protoinfo` and others.
    pub parts: Vec<(&'a str, Option<&'a str>)>,
}

/// The protocols of connections that have names (`lib/ct-dpif.c`, `ct_dpif_format_ipproto`). Another protocol is
/// printed as a number.
pub const PROTOCOLS: [&str; 8] = ["tcp", "udp", "icmp", "icmpv6", "sctp", "udplite", "dccp", "igmp"];

/// The states of connections (`lib/ct-dpif.h`, `CT_DPIF_TCP_STATES` and `CT_DPIF_SCTP_STATES`).
pub const STATES: [&str; 18] = [
    "CLOSED",
    "LISTEN",
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "CLOSE_WAIT",
    "FIN_WAIT_1",
    "CLOSING",
    "LAST_ACK",
    "FIN_WAIT_2",
    "TIME_WAIT",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECD",
    "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT",
    "HEARTBEAT_ACKED",
];

/// A filter for connections. A connection must meet all conditions that are set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The zones of the connection. An empty list means any zone.
    pub zones: Vec<u16>,
    /// An address at either end, in either direction, before or after translation.
    pub address: Option<IpAddr>,
    /// A port at either end, in either direction, before or after translation.
    pub port: Option<u16>,
    /// The protocol of the connection.
    pub protocol: Option<String>,
    /// The states, one of which the connection has at either end. An empty list means any state.
    pub states: Vec<String>,
    /// The mark and the mask of its bits that must match.
    pub mark: Option<(u64, u64)>,
}

/// The ends of the packets of one direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Direction {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The source port, if the protocol has ports.
    pub source_port: Option<u16>,
    /// The destination port, if the protocol has ports.
    pub destination_port: Option<u16>,
}

impl Direction {
    /// Returns the ends of packets that go the other way.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

impl<'a> Entry<'a> {
    /// Parses a line. Returns `None` if the line is not a connection.
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut parts = tokens::split(line.trim());
        let protocol = parts.next().filter(|protocol| !protocol.contains(['=', ' ', ':']))?;
        let entry =
            Self { protocol, parts: parts.map(|part| tokens::name_and_value(part, &['='])).collect() };
        entry.part("orig").is_some().then_some(entry)
    }

    fn part(&self, name: &str) -> Option<&'a str> {
        self.parts.iter().find(|(it, _)| *it == name)?.1
    }

    /// Returns the inner parts of a part: `src`, `dst`, `sport` and `dport` of `orig`.
    fn inner(&self, part: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let inner =
            self.part(part).and_then(|value| value.strip_prefix('(')?.strip_suffix(')')).unwrap_or_default();
        tokens::split(inner).filter_map(|part| part.split_once('='))
    }

    /// Returns the ends of the packets that go from the client to the server, as the client sends them.
    pub fn original(&self) -> Option<Direction> {
        self.direction("orig")
    }

    /// Returns the ends of the packets that answer, as the server sends them. Unless addresses are translated, it is
    /// the reverse of [`Self::original`].
    pub fn reply(&self) -> Option<Direction> {
        self.direction("reply")
    }

    fn direction(&self, part: &str) -> Option<Direction> {
        let value = |name: &str| self.inner(part).find(|(it, _)| *it == name).map(|(_, value)| value);
        let port = |name: &str| value(name).and_then(|port| port.parse().ok());
        Some(Direction {
            source: value("src")?.parse().ok()?,
            destination: value("dst")?.parse().ok()?,
            source_port: port("sport"),
            destination_port: port("dport"),
        })
    }

    /// Returns the zone. The default zone 0 is not printed.
    pub fn zone(&self) -> u16 {
        self.part("zone").and_then(|zone| zone.parse().ok()).unwrap_or(0)
    }

    /// Returns the mark. The mark 0 is not printed.
    pub fn mark(&self) -> u64 {
        self.part("mark").and_then(tokens::number).unwrap_or(0)
    }

    /// Returns the state of a protocol that has states, or `SYN_SENT/ESTABLISHED` if the two ends have separate
    /// states.
    pub fn state(&self) -> Option<String> {
        let state = |name: &str| self.inner("protoinfo").find(|(it, _)| *it == name).map(|(_, state)| state);
        match (state("state"), state("state_orig"), state("state_reply")) {
            (Some(state), ..) => Some(state.to_owned()),
            (None, Some(one), Some(other)) if one == other => Some(one.to_owned()),
            (None, Some(one), Some(other)) => Some(format!("{one}/{other}")),
            _ => None,
        }
    }
}

/// Prints the connection as Open vSwitch printed it.
impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.protocol)?;
        self.parts.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ",{name}={value}"),
            None => write!(f, ",{name}"),
        })
    }
}

impl Filter {
    /// Returns whether the filter has any condition.
    pub fn is_narrow(&self) -> bool {
        let Self { zones, address, port, protocol, states, mark } = self;
        !zones.is_empty()
            || address.is_some()
            || port.is_some()
            || protocol.is_some()
            || !states.is_empty()
            || mark.is_some()
    }

    /// Returns whether the filter selects this connection.
    pub fn wants(&self, entry: &Entry<'_>) -> bool {
        let tuples = || ["orig", "reply"].into_iter().flat_map(|tuple| entry.inner(tuple));
        let has_address = |address: IpAddr| tuples().any(|(_, value)| value.parse() == Ok(address));
        let has_port = |port: u16| {
            tuples().any(|(name, value)| matches!(name, "sport" | "dport") && value.parse() == Ok(port))
        };
        let is_wanted = |it: &str| self.states.iter().any(|state| it.eq_ignore_ascii_case(state));
        let has_state = || entry.state().is_some_and(|it| it.split('/').any(is_wanted));
        (self.zones.is_empty() || self.zones.contains(&entry.zone()))
            && self.protocol.as_ref().is_none_or(|protocol| entry.protocol.eq_ignore_ascii_case(protocol))
            && self.mark.is_none_or(|(mark, mask)| entry.mark() & mask == mark & mask)
            && self.address.is_none_or(has_address)
            && self.port.is_none_or(has_port)
            && (self.states.is_empty() || has_state())
    }
}

/// The numbers of connections by zone, protocol and state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary(BTreeMap<(u16, String, String), usize>);

impl Summary {
    /// Counts a connection.
    pub fn add(&mut self, entry: &Entry<'_>) {
        let key = (entry.zone(), entry.protocol.to_owned(), entry.state().unwrap_or_default());
        *self.0.entry(key).or_default() += 1;
    }

    /// Returns the protocol, the state (or an empty text) and the number of connections of each zone.
    pub fn zones(&self) -> BTreeMap<u16, Vec<(&str, &str, usize)>> {
        let mut zones: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for ((zone, protocol, state), count) in &self.0 {
            zones.entry(*zone).or_default().push((protocol.as_str(), state.as_str(), *count));
        }
        zones
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "tcp,orig=(src=10.244.0.4,dst=10.96.0.10,sport=50702,dport=80),reply=(src=10.244.1.5,dst=10.244.0.4,sport=8080,dport=50702),id=0,zone=18,status=0,mark=2,protoinfo=(state_orig=FIN_WAIT_2,state_reply=CLOSING,wscale_orig=10)";

    #[test]
    fn a_connection_is_found_from_either_end() {
        let entry = Entry::parse(TCP).unwrap();
        assert_eq!(entry.to_string(), TCP);
        assert_eq!(
            (entry.zone(), entry.mark(), entry.state().as_deref()),
            (18, 2, Some("FIN_WAIT_2/CLOSING"))
        );
        let wants = |filter: Filter| filter.wants(&entry);
        for address in ["10.244.0.4", "10.96.0.10", "10.244.1.5"] {
            assert!(wants(Filter { address: address.parse().ok(), ..Filter::default() }), "{address}");
        }
        assert!(wants(Filter { port: Some(8080), zones: vec![18], mark: Some((2, 2)), ..Filter::default() }));
        assert!(wants(Filter {
            states: vec!["closing".into()],
            protocol: Some("tcp".into()),
            ..Filter::default()
        }));
        assert!(!wants(Filter { address: "10.244.0.40".parse().ok(), ..Filter::default() }));
        assert!(!wants(Filter { zones: vec![0], ..Filter::default() }));
        assert!(!wants(Filter { mark: Some((1, 1)), ..Filter::default() }));
        let icmp = "icmp,orig=(src=1.1.1.1,dst=2.2.2.2,id=80,type=8,code=0),reply=(src=2.2.2.2,dst=1.1.1.1,id=80,type=0,code=0)";
        let icmp = Entry::parse(icmp).unwrap();
        assert_eq!((icmp.zone(), icmp.state()), (0, None));
        // The identifier of ICMP is not a port.
        assert!(!Filter { port: Some(80), ..Filter::default() }.wants(&icmp));
        assert_eq!(Entry::parse("ovs-vswitchd: no datapath"), None);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".*|tcp,orig=[(a-z0-9=.,)]{0,60}") {
            _ = Entry::parse(&line).map(|entry| (entry.to_string(), entry.state()));
        }
    }
}
