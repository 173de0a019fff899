//! Datapath flows, as ovs-dpctl(8) and `ovs-appctl dpctl/dump-flows` print them.
//!
//! ```text
//! ufid:3f1a…, recirc_id(0x2c),in_port(genev_sys_6081),eth(src=0a:…), packets:14, bytes:1336, dp:ovs, actions:6844d09
//! ```
//!
//! The parser reads flows of the kernel and of the userspace datapath, with or without `-m`, with or without names.

use ipnet::IpNet;
use openflow::tokens;
use std::{fmt, net::IpAddr};

/// A flow, split into the parts of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow<'a> {
    /// The identifier, which `-m` prints.
    pub ufid: Option<&'a str>,
    /// The fields of the match: `in_port(eth0)`.
    pub fields: Vec<&'a str>,
    /// Counters and other attributes: `packets:14`.
    pub facts: Vec<&'a str>,
    /// The text of the actions.
    pub actions: &'a str,
    /// The text that the datapath adds after the actions.
    pub extra: Option<&'a str>,
}

/// A filter for flows. A flow must meet all conditions that are set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The input port, by name or number.
    pub in_port: Option<String>,
    /// An address that the flow matches in any header, or that its actions set.
    pub address: Option<IpAddr>,
    /// A port of a transport protocol that the flow matches.
    pub port: Option<u16>,
    /// A text that the actions must contain.
    pub action: Option<String>,
    /// Whether the flow must have matched packets.
    pub nonzero: bool,
}

impl<'a> Flow<'a> {
    /// Parses a line. Returns `None` if the line is not a flow, or if its brackets are nested more deeply than in any
    /// flow.
    pub fn parse(line: &'a str) -> Option<Self> {
        if tokens::is_too_deep(line) {
            return None;
        }
        let (head, tail) = line.trim().split_once(", actions:")?;
        let (actions, extra) = match tail.split_once(", dp-extra-info:") {
            Some((actions, extra)) => (actions, Some(extra)),
            None => (tail, None),
        };
        let mut flow = Self { ufid: None, fields: Vec::new(), facts: Vec::new(), actions, extra };
        for part in tokens::split(head) {
            match (part.strip_prefix("ufid:"), part.ends_with(')')) {
                (Some(ufid), _) => flow.ufid = Some(ufid),
                (None, true) => flow.fields.push(part),
                (None, false) => flow.facts.push(part),
            }
        }
        (!flow.fields.is_empty()).then_some(flow)
    }

    /// Returns the value of a field: `eth0` for `in_port(eth0)`.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find_map(|field| match tokens::name_and_value(field, &['(']) {
            (it, Some(value)) if it == name => Some(value),
            _ => None,
        })
    }

    /// Returns the value of a counter such as `packets`.
    pub fn fact(&self, name: &str) -> Option<&'a str> {
        self.facts.iter().find_map(|fact| fact.strip_prefix(name)?.strip_prefix(':'))
    }

    /// Returns the number of packets that matched.
    pub fn packets(&self) -> u64 {
        self.fact("packets").and_then(|packets| packets.parse().ok()).unwrap_or(0)
    }

    /// Returns the line without its identifier and without fields whose mask is zero.
    pub fn short(&self) -> String {
        let fields: Vec<String> = self.fields.iter().filter_map(|field| asked(field)).collect();
        let facts: String = self.facts.iter().map(|fact| format!(", {fact}")).collect();
        format!("{}{facts}, actions:{}", fields.join(","), self.actions)
    }
}

/// Prints the flow as Open vSwitch printed it.
impl fmt::Display for Flow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ufid) = self.ufid {
            write!(f, "ufid:{ufid}, ")?;
        }
        f.write_str(&self.fields.join(","))?;
        self.facts.iter().try_for_each(|fact| write!(f, ", {fact}"))?;
        write!(f, ", actions:{}", self.actions)?;
        self.extra.map_or(Ok(()), |extra| write!(f, ", dp-extra-info:{extra}"))
    }
}

/// Returns the part of a field that the flow matches on, or `None` if the field can have any value.
fn asked(field: &str) -> Option<String> {
    let any = |text: &str| {
        text.rsplit_once('/').is_some_and(|(_, mask)| {
            !mask.is_empty() && mask.chars().all(|c| matches!(c, '0' | '.' | ':' | 'x'))
        })
    };
    let (open, close) = match field.find(['(', '{']).and_then(|at| field.get(at..=at)) {
        Some("(") => ('(', ')'),
        Some(_) => ('{', '}'),
        None => return (!any(field)).then(|| field.to_owned()),
    };
    let (name, inner) = field.split_once(open)?;
    let inner = inner.strip_suffix(close).unwrap_or(inner);
    let parts: Vec<String> = tokens::split(inner).filter_map(asked).collect();
    // `eth()` matches on a header, and `eth(src=…/00:…)` on nothing in it.
    (!parts.is_empty() || inner.is_empty()).then(|| format!("{name}{open}{}{close}", parts.join(",")))
}

impl Filter {
    /// Returns whether the filter has any condition.
    pub fn is_narrow(&self) -> bool {
        let Self { in_port, address, port, action, nonzero } = self;
        in_port.is_some() || address.is_some() || port.is_some() || action.is_some() || *nonzero
    }

    /// Returns whether the filter selects this flow.
    pub fn wants(&self, flow: &Flow<'_>) -> bool {
        let in_port = |port: &String| flow.field("in_port").is_some_and(|it| it.trim_matches('"') == port);
        (!self.nonzero || flow.packets() > 0)
            && self.in_port.as_ref().is_none_or(in_port)
            && self.action.as_ref().is_none_or(|action| flow.actions.contains(action.as_str()))
            && self.port.is_none_or(|port| has_port(flow, port))
            && self.address.is_none_or(|address| has_address(flow, address))
    }
}

/// Collects the parts of all fields, including nested fields.
fn leaves<'a>(field: &'a str, found: &mut Vec<&'a str>) {
    match tokens::name_and_value(field, &['(']) {
        (_, Some(inner)) => tokens::split(inner).for_each(|part| leaves(part, found)),
        _ => found.push(field),
    }
}

fn has_address(flow: &Flow<'_>, address: IpAddr) -> bool {
    let mut parts = Vec::new();
    flow.fields.iter().for_each(|field| leaves(field, &mut parts));
    let asks = |part: &&str| {
        let Some((_, value)) = part.split_once('=') else { return false };
        let (it, mask) = value.split_once('/').unwrap_or((value, ""));
        let Ok(it) = it.parse::<IpAddr>() else { return false };
        match mask.parse::<IpAddr>() {
            Ok(mask) => {
                IpNet::with_netmask(it, mask).is_ok_and(|net| net.prefix_len() > 0 && net.contains(&address))
            }
            Err(_) => it == address,
        }
    };
    parts.iter().any(asks) || writes(flow.actions, address)
}

/// Returns whether the actions contain the address as a word.
fn writes(actions: &str, address: IpAddr) -> bool {
    let address = address.to_string();
    actions.match_indices(&address).any(|(at, _)| {
        let rest = actions.get(at + address.len()..).unwrap_or_default();
        let before = actions.get(..at).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && !before.ends_with(|c: char| c.is_ascii_digit() || c == '.')
    })
}

fn has_port(flow: &Flow<'_>, port: u16) -> bool {
    ["tcp", "udp", "sctp"].iter().filter_map(|name| flow.field(name)).any(|ports| {
        tokens::split(ports).any(|part| {
            let value = part.strip_prefix("src=").or_else(|| part.strip_prefix("dst="));
            let asked = value.and_then(tokens::masked);
            asked.is_some_and(|(value, mask)| mask != 0 && u64::from(port) & mask == value & mask)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TUNNEL: &str = "ufid:3f1aa149-f428-4164-897f-2a75536bc77c, skb_priority(0/0),tunnel(tun_id=0xff0003,src=172.18.0.3,dst=172.18.0.2,ttl=64/0,tp_src=37746/0,tp_dst=6081/0,geneve({class=0x102/0,type=0x80/0,len=4/0,0x30002/0}),flags(-df+csum+key)),ct_state(0xaa/0x3f),recirc_id(0x2c),in_port(genev_sys_6081),packet_type(ns=0,id=0),eth(src=0a:58:0a:f4:00:01/00:00:00:00:00:00,dst=0a:58:0a:f4:00:04),eth_type(0x0800),ipv4(src=172.18.0.1/0.0.0.0,dst=10.244.0.4,proto=6/0,tos=0/0,ttl=61/0,frag=no),tcp(src=80/0,dst=48972/0),tcp_flags(0/0), packets:14, bytes:1336, used:10.159s, flags:SFP., dp:ovs, actions:6844d0909128ccb, dp-extra-info:miniflow_bits(10,2)";

    #[test]
    fn deep_nesting_is_not_a_flow() {
        let nested =
            |n: usize| format!("in_port(1),{}1{}, packets:0, actions:2", "a(".repeat(n), ")".repeat(n));
        assert!(Flow::parse(&nested(90)).is_some_and(|flow| flow.short().contains("in_port(1)")));
        assert_eq!(Flow::parse(&nested(30_000)), None);
    }

    #[test]
    fn fields_that_match_anything_are_left_out() {
        let flow = Flow::parse(TUNNEL).unwrap();
        assert_eq!(flow.to_string(), TUNNEL);
        assert_eq!(
            flow.short(),
            "tunnel(tun_id=0xff0003,src=172.18.0.3,dst=172.18.0.2,flags(-df+csum+key)),ct_state(0xaa/0x3f),recirc_id(0x2c),in_port(genev_sys_6081),packet_type(ns=0,id=0),eth(dst=0a:58:0a:f4:00:04),eth_type(0x0800),ipv4(dst=10.244.0.4,frag=no), packets:14, bytes:1336, used:10.159s, flags:SFP., dp:ovs, actions:6844d0909128ccb"
        );
    }

    #[test]
    fn a_filter_selects_flows_by_their_match() {
        let flow = Flow::parse(TUNNEL).unwrap();
        let wants = |filter: Filter| filter.wants(&flow);
        assert!(wants(Filter { address: "10.244.0.4".parse().ok(), nonzero: true, ..Filter::default() }));
        assert!(wants(Filter { address: "172.18.0.3".parse().ok(), ..Filter::default() }));
        assert!(wants(Filter { in_port: Some("genev_sys_6081".into()), ..Filter::default() }));
        // The address and the ports come from the packet that created the flow, and the flow does not match on them.
        assert!(!wants(Filter { address: "172.18.0.1".parse().ok(), ..Filter::default() }));
        assert!(!wants(Filter { port: Some(80), ..Filter::default() }));
        let nat = "recirc_id(0),in_port(2),eth_type(0x0800),tcp(dst=80), packets:0, bytes:0, used:never, actions:ct(commit,nat(dst=10.244.1.5:8080))";
        let nat = Flow::parse(nat).unwrap();
        assert!(
            Filter { address: "10.244.1.5".parse().ok(), port: Some(80), ..Filter::default() }.wants(&nat)
        );
        assert!(!Filter { address: "10.244.1.50".parse().ok(), ..Filter::default() }.wants(&nat));
        assert!(!Filter { nonzero: true, ..Filter::default() }.wants(&nat));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".*|[a-z0-9(){}=/.:,]{0,60}, actions:.*") {
            _ = Flow::parse(&line).map(|flow| (flow.short(), Filter { address: "1.2.3.4".parse().ok(), port: Some(1), ..Filter::default() }.wants(&flow)));
        }
    }
}
