//! Packets that exercise many flows: random packets, and packets that match a flow of the table where the last packet
//! ended.

use crate::node::Node;
use openflow::{
    Flow, Match, Ports, Switch,
    eval::{Question, Trace, trace},
};
use packet::{CtState, Field, Masked, Packet};
use std::collections::BTreeMap;

/// The fields that a packet can have when it enters. Flows set the others.
const HEADERS: [Field; 14] = [
    Field::ETH_SRC,
    Field::ETH_DST,
    Field::VLAN_TCI,
    Field::IP_SRC,
    Field::IP_DST,
    Field::IPV6_SRC,
    Field::IPV6_DST,
    Field::IP_TTL,
    Field::TCP_SRC,
    Field::TCP_DST,
    Field::ARP_SHA,
    Field::ND_TARGET,
    Field::PKT_MARK,
    Field::IP_TOS,
];

/// The kinds of packets: a name and the fields that define the kind.
const KINDS: [(&str, &[(Field, u128)]); 9] = [
    ("tcp", &[(Field::ETH_TYPE, 0x0800), (Field::IP_PROTO, 6)]),
    ("udp", &[(Field::ETH_TYPE, 0x0800), (Field::IP_PROTO, 17)]),
    ("icmp", &[(Field::ETH_TYPE, 0x0800), (Field::IP_PROTO, 1)]),
    ("arp", &[(Field::ETH_TYPE, 0x0806), (Field::ARP_OP, 1)]),
    ("tcp6", &[(Field::ETH_TYPE, 0x86dd), (Field::IP_PROTO, 6)]),
    ("udp6", &[(Field::ETH_TYPE, 0x86dd), (Field::IP_PROTO, 17)]),
    ("icmp6", &[(Field::ETH_TYPE, 0x86dd), (Field::IP_PROTO, 58)]),
    ("sctp", &[(Field::ETH_TYPE, 0x0800), (Field::IP_PROTO, 132)]),
    ("dl_type=0x1234", &[(Field::ETH_TYPE, 0x1234)]),
];

/// The tests of a flow's match.
type Tests = Vec<(Field, Masked)>;

/// A generator of packets. The same seed gives the same packets.
pub(crate) struct Packets<'a> {
    state: u64,
    switch: &'a Switch<'a>,
    bridges: Vec<(String, Vec<u16>)>,
    /// The values that flows test, by field.
    values: BTreeMap<Field, Vec<u128>>,
    /// The matches of each table.
    matches: BTreeMap<(String, u8), Vec<Tests>>,
}

impl<'a> Packets<'a> {
    pub(crate) fn new(node: &'a Node, switch: &'a Switch<'a>, seed: u64) -> Self {
        let (mut values, mut matches): (BTreeMap<Field, Vec<u128>>, BTreeMap<_, Vec<_>>) = Default::default();
        let mut bridges = Vec::new();
        for (name, bridge) in &node.recorded.bridges {
            let ports = bridge.openflow_ports(name);
            bridges.push((name.clone(), ports.keys().copied().collect()));
            for line in node.ofctl("dump-flows", name).lines() {
                let Some(flow) = Flow::parse(line) else { continue };
                let Ok(found) = Match::of(&flow.fields, &Ports::default()) else { continue };
                for (field, masked) in found.tests() {
                    values.entry(*field).or_default().push(masked.value);
                }
                matches.entry((name.clone(), flow.table())).or_default().push(found.tests().to_vec());
            }
        }
        values.entry(Field::IP_TTL).or_default().extend([64, 1, 255]);
        for values in values.values_mut() {
            values.sort_unstable();
            values.dedup();
        }
        Self { state: seed, switch, bridges, values, matches }
    }

    /// Returns the next random number (SplitMix64, Steele et al.).
    fn number(&mut self) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) as usize
    }

    pub(crate) fn of<'b, T>(&mut self, all: &'b [T]) -> Option<&'b T> {
        all.get(self.number() % all.len().max(1))
    }

    fn value(&mut self, field: Field) -> Option<u128> {
        let at = self.number();
        let values = self.values.get(&field)?;
        values.get(at % values.len().max(1)).copied()
    }

    /// Returns a bridge and a packet.
    pub(crate) fn draw(&mut self) -> (String, String) {
        // Most flows are on the integration bridge.
        let at = self.number();
        let (bridge, ports) =
            match self.bridges.iter().find(|(name, _)| name == "br-int" && !at.is_multiple_of(5)) {
                Some(found) => found.clone(),
                None => self.bridges.get(at / 5 % self.bridges.len()).cloned().unwrap_or_default(),
            };
        let kinds = KINDS;
        let kind = self.number() % 12;
        // Most flows handle TCP over IPv4.
        let (_, fixed) = kinds.get(kind).copied().unwrap_or(KINDS[0]);
        let mut packet = Packet::default();
        for (field, value) in fixed {
            packet.set(*field, *value);
        }
        packet.set(Field::IN_PORT, self.of(&ports).copied().unwrap_or(1).into());
        for field in HEADERS {
            let often = matches!(field, Field::VLAN_TCI | Field::PKT_MARK | Field::IP_TOS);
            if openflow::applies(field, &packet)
                && (!often || self.number().is_multiple_of(20))
                && let Some(value) = self.value(field)
            {
                packet.set(field, value);
            }
        }
        packet
            .set(Field::IP_TTL, if packet.get(Field::IP_TTL) == 0 { 64 } else { packet.get(Field::IP_TTL) });
        packet.set(Field::DP_HASH, (self.number() % 32 + 1) as u128);
        let mut flow = text(&packet);
        for _ in 0..self.number() % 14 {
            let better = self.further(&bridge, &packet, fixed);
            (flow, packet) = (text(&better), better);
        }
        (bridge, flow)
    }

    /// Returns a packet that matches one of the flows in a table that this packet reached.
    fn further(&mut self, bridge: &str, packet: &Packet, fixed: &[(Field, u128)]) -> Packet {
        let question = Question {
            bridge: bridge.to_owned(),
            packet: packet.clone(),
            states: Vec::new(),
            assumed: vec![CtState::NEW],
            tells_tuple: false,
            names: false,
        };
        let Trace { passes, .. } = trace(self.switch, &question);
        let steps: Vec<_> = passes.iter().flat_map(|pass| &pass.steps).collect();
        // The choice prefers the last tables.
        let back = self.number() % 4;
        let at = match self.number() % 3 {
            0 => self.number() % steps.len().max(1),
            _ => steps.len().saturating_sub(1 + back),
        };
        let mut next = packet.clone();
        let Some(step) = steps.get(at) else { return next };
        let chosen = self.number();
        let Some(matches) = self.matches.get(&(step.bridge.clone(), step.table)) else { return next };
        let wanted = matches.get(chosen % matches.len().max(1)).cloned().unwrap_or_default();
        for (field, masked) in wanted {
            if HEADERS.contains(&field) && openflow::applies(field, packet) {
                next.set(field, next.get(field) & !masked.mask | masked.value);
            }
        }
        for (field, value) in fixed {
            next.set(*field, *value);
        }
        next
    }
}

/// Returns a packet in the form that the real program takes.
fn text(packet: &Packet) -> String {
    let mut parts = Vec::new();
    let ethernet = packet.get(Field::ETH_TYPE);
    let protocol = packet.get(Field::IP_PROTO);
    let kind =
        KINDS.iter().find(|(_, fields)| fields.iter().all(|(field, value)| packet.get(*field) == *value));
    parts.push(kind.map_or_else(|| format!("dl_type={ethernet:#x}"), |(name, _)| (*name).to_owned()));
    let mut add = |name: &str, field: Field| {
        if packet.get(field) != 0 {
            parts.push(format!("{name}={}", field.show(packet.get(field))));
        }
    };
    for (name, field) in [
        ("in_port", Field::IN_PORT),
        ("dp_hash", Field::DP_HASH),
        ("pkt_mark", Field::PKT_MARK),
        ("vlan_tci", Field::VLAN_TCI),
        ("dl_src", Field::ETH_SRC),
        ("dl_dst", Field::ETH_DST),
    ] {
        add(name, field);
    }
    match ethernet {
        0x0800 => {
            [("nw_src", Field::IP_SRC), ("nw_dst", Field::IP_DST)].into_iter().for_each(|(n, f)| add(n, f))
        }
        0x86dd => {
            [("ipv6_src", Field::IPV6_SRC), ("ipv6_dst", Field::IPV6_DST)]
                .into_iter()
                .for_each(|(n, f)| add(n, f));
        }
        0x0806 => {
            let fields = [Field::ARP_OP, Field::ARP_SPA, Field::ARP_TPA, Field::ARP_SHA, Field::ARP_THA];
            fields.into_iter().for_each(|field| add(field.name(), field));
        }
        _ => {}
    }
    if matches!(ethernet, 0x0800 | 0x86dd) {
        add("nw_ttl", Field::IP_TTL);
        if packet.get(Field::IP_TOS) & 0xfc != 0 {
            parts.push(format!("nw_tos={}", packet.get(Field::IP_TOS) & 0xfc));
        }
        let mut add = |name: &str, field: Field| parts.push(format!("{name}={}", packet.get(field)));
        match protocol {
            6 => [("tcp_src", Field::TCP_SRC), ("tcp_dst", Field::TCP_DST)]
                .into_iter()
                .for_each(|(n, f)| add(n, f)),
            17 => [("udp_src", Field::TCP_SRC), ("udp_dst", Field::TCP_DST)]
                .into_iter()
                .for_each(|(n, f)| add(n, f)),
            132 => [("sctp_src", Field::TCP_SRC), ("sctp_dst", Field::TCP_DST)]
                .into_iter()
                .for_each(|(n, f)| add(n, f)),
            1 => add("icmp_type", Field::ICMP4_TYPE),
            58 => {
                add("icmpv6_type", Field::ICMP6_TYPE);
                add("icmpv6_code", Field::ICMP6_CODE);
                if matches!(packet.get(Field::ICMP6_TYPE), 135 | 136) && packet.get(Field::ICMP6_CODE) == 0 {
                    parts.push(format!("nd_target={}", Field::ND_TARGET.show(packet.get(Field::ND_TARGET))));
                }
            }
            _ => {}
        }
    }
    parts.join(",")
}
