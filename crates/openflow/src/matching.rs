//! The match of a flow: fields with masked values.

use crate::{Flow, Ports, Token, field};
use packet::{CtState, Field, Masked, Packet};

/// The error for a part of a match that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse the match `{0}`")]
pub struct BadMatch(pub String);

/// The reason why a text does not describe one packet. `ofproto/trace` refuses the same texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// A part is not understood.
    #[error(transparent)]
    Part(#[from] BadMatch),
    /// A value has a mask, so it stands for many packets.
    #[error("`{0}` has a mask, but a packet has exact values")]
    Mask(String),
    /// Two parts require different values of a field.
    #[error("two parts of `{0}` require different values of the same field")]
    Conflict(String),
    /// A field belongs to another protocol.
    #[error(
        "`{0}` has a field of a protocol that the packet does not have: name the protocol, such as tcp or ip"
    )]
    Prerequisite(String),
}

/// The match of a flow. A packet must pass all tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    tests: Vec<(Field, Masked)>,
}

/// The protocol names that stand for tests: name, Ethernet type, IP protocol.
const PROTOCOLS: [(&str, u128, Option<u128>); 16] = [
    ("ip", 0x0800, None),
    ("ipv6", 0x86dd, None),
    ("icmp", 0x0800, Some(1)),
    ("icmp6", 0x86dd, Some(58)),
    ("igmp", 0x0800, Some(2)),
    ("tcp", 0x0800, Some(6)),
    ("tcp6", 0x86dd, Some(6)),
    ("udp", 0x0800, Some(17)),
    ("udp6", 0x86dd, Some(17)),
    ("sctp", 0x0800, Some(132)),
    ("sctp6", 0x86dd, Some(132)),
    ("arp", 0x0806, None),
    ("rarp", 0x8035, None),
    ("mpls", 0x8847, None),
    ("mplsm", 0x8848, None),
    ("nsh", 0x894f, None),
];

/// The flags of `tcp_flags`, from the lowest bit.
const TCP_FLAGS: [&str; 12] =
    ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"];

/// The names of reserved port numbers (OpenFlow, `ofp_port_no`), as Open vSwitch numbers them.
const RESERVED: [(&str, u16); 9] = [
    ("IN_PORT", 0xfff8),
    ("TABLE", 0xfff9),
    ("NORMAL", 0xfffa),
    ("FLOOD", 0xfffb),
    ("ALL", 0xfffc),
    ("CONTROLLER", 0xfffd),
    ("LOCAL", 0xfffe),
    ("ANY", 0xffff),
    ("NONE", 0xffff),
];

/// Parses the number of a port from a number, a reserved name or a port name.
pub(crate) fn port(text: &str, ports: &Ports) -> Option<u16> {
    let reserved = || RESERVED.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    text.parse().ok().or_else(reserved).or_else(|| ports.number(text.trim_matches('"')))
}

/// Returns the name of a port as Open vSwitch prints it.
pub fn show_port(number: u16) -> String {
    let reserved = RESERVED.iter().find(|(_, it)| *it == number);
    reserved.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

/// Returns the packet that a flow describes, as `ofproto/trace` takes it: `tcp,in_port=4,nw_dst=10.244.0.5`. All
/// other fields are zero.
///
/// # Errors
/// Fails if a field or its value is not understood, if a value has a mask, if two parts contradict each other, or if
/// a field belongs to a protocol that the packet does not have.
pub fn packet(flow: &str, ports: &Ports) -> Result<Packet, BadPacket> {
    let line = format!("{flow} actions=drop");
    let parsed = Flow::parse(&line).ok_or_else(|| BadMatch(flow.to_owned()))?;
    if let Some(part) = parsed.fields.iter().find(|part| part.value.is_some_and(|value| value.contains('/')))
    {
        return Err(BadPacket::Mask(part.to_string()));
    }
    let found = Match::of(&parsed.fields, ports)?;
    let contradict = |(field, one): &(Field, Masked), (other_field, other): &(Field, Masked)| {
        field == other_field && (one.value ^ other.value) & one.mask & other.mask != 0
    };
    let mut rest = found.tests.as_slice();
    while let [first, others @ ..] = rest {
        if others.iter().any(|other| contradict(first, other)) {
            return Err(BadPacket::Conflict(flow.to_owned()));
        }
        rest = others;
    }
    let packet = found.packet();
    let applies = |field: Field| match field {
        Field::TCP_SRC | Field::TCP_DST => packet.has_ports() && packet.get(Field::IP_FRAG) & 2 == 0,
        field => field::applies(field, &packet),
    };
    match found.tests.iter().all(|(field, _)| applies(*field)) {
        true => Ok(packet),
        false => Err(BadPacket::Prerequisite(flow.to_owned())),
    }
}

impl Match {
    /// Parses the fields of a flow. `ports` resolves ports that are written by name.
    ///
    /// # Errors
    /// Fails if a field or its value is not understood.
    pub fn of(fields: &[Token<'_>], ports: &Ports) -> Result<Self, BadMatch> {
        let mut found = Self::default();
        for token in fields {
            found.add(token, ports).ok_or_else(|| BadMatch(token.to_string()))?;
        }
        found.tests.sort_unstable();
        found.tests.dedup();
        Ok(found)
    }

    /// Returns the tests in a fixed order of their own.
    pub fn tests(&self) -> &[(Field, Masked)] {
        &self.tests
    }

    /// Returns whether the match accepts a packet.
    pub fn matches(&self, packet: &Packet) -> bool {
        self.tests.iter().all(|(field, masked)| masked.matches(packet.get(*field)))
    }

    /// Returns the packet that has these values and is zero elsewhere.
    pub fn packet(&self) -> Packet {
        let mut packet = Packet::default();
        for (field, masked) in &self.tests {
            let value = packet.get(*field) & !masked.mask | masked.value;
            packet.set(*field, value);
        }
        packet
    }

    fn test(&mut self, field: Field, masked: Masked) -> Option<()> {
        self.tests.push((field, masked));
        Some(())
    }

    fn exact(&mut self, field: Field, value: u128) -> Option<()> {
        self.test(field, Masked::exact(value, field.width()))
    }

    fn add(&mut self, token: &Token<'_>, ports: &Ports) -> Option<()> {
        let Some(value) = token.value else {
            if token.name == "eth" {
                return Some(());
            }
            let (_, ethernet, protocol) = PROTOCOLS.iter().find(|(name, _, _)| *name == token.name)?;
            self.exact(Field::ETH_TYPE, *ethernet)?;
            return protocol.map_or(Some(()), |protocol| self.exact(Field::IP_PROTO, protocol));
        };
        match token.name {
            "in_port" | "in_port_oxm" => self.exact(Field::IN_PORT, port(value, ports)?.into()),
            "nw_frag" | "ip_frag" => self.test(Field::IP_FRAG, fragment(value)?),
            "ct_state" => self.test(Field::CT_STATE, flags(value, &CtState::NAMES)?),
            "tcp_flags" => self.test(Field::TCP_FLAGS, flags(value, &TCP_FLAGS)?),
            "dl_vlan" if matches!(value, "0xffff" | "65535") => {
                self.test(Field::VLAN_TCI, Masked::new(0, 0x1000))
            }
            "dl_vlan" => {
                let number = Field::VLAN_VID.parse(value).ok()?;
                self.test(Field::VLAN_TCI, Masked::new(number | 0x1000, 0x1fff))
            }
            "dl_vlan_pcp" => {
                let number = Field::VLAN_PCP.parse(value).ok()?;
                self.test(Field::VLAN_TCI, Masked::new(number << 13 | 0x1000, 0xf000))
            }
            // The value keeps DSCP in its place, and the lower two bits do not count.
            "nw_tos" => {
                let number = Field::IP_TOS.parse(value).ok()?;
                self.test(Field::IP_TOS, Masked::new(number, 0xfc))
            }
            name => {
                let field = field::named(name)?;
                self.test(field, field.parse_masked(value).ok()?)
            }
        }
    }
}

/// Parses `nw_frag`: bit 0 means a fragment, bit 1 means that it is not the first fragment.
fn fragment(text: &str) -> Option<Masked> {
    let (value, mask) = match text {
        "no" => (0, 3),
        "yes" => (1, 1),
        "first" => (1, 3),
        "later" => (3, 3),
        "not_later" => (0, 2),
        _ => return None,
    };
    Some(Masked::new(value, mask))
}

/// Parses flags: `+new-est`, `new|trk`, or a number with a mask.
fn flags(text: &str, names: &[&str]) -> Option<Masked> {
    let bit = |name: &str| names.iter().position(|it| *it == name).map(|at| 1u128 << at);
    if text.starts_with(['+', '-']) {
        let mut found = Masked::new(0, 0);
        let mut rest = text;
        while let Some(set) = rest.chars().next().map(|sign| sign == '+') {
            let word = rest.get(1..)?;
            let end = word.find(['+', '-']).unwrap_or(word.len());
            let bit = bit(word.get(..end)?)?;
            found.mask |= bit;
            found.value |= if set { bit } else { 0 };
            rest = word.get(end..)?;
        }
        return Some(found);
    }
    if let Some((value, mask)) = crate::tokens::masked(text) {
        let mask = if text.contains('/') { mask.into() } else { packet::bits(32) };
        return Some(Masked::new(value.into(), mask));
    }
    let bits = text.split('|').map(bit).try_fold(0, |all, bit| Some(all | bit?))?;
    Some(Masked::new(bits, packet::bits(32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Match, BadMatch> {
        let line = format!("{text} actions=drop");
        Match::of(&Flow::parse(&line).unwrap().fields, &Ports::of([(4, "web")]))
    }

    #[test]
    fn a_packet_is_matched_by_the_bits_that_count() {
        let packet = parsed("tcp,in_port=4,ct_state=new|trk,reg0=0x287,nw_src=10.244.0.4,nw_dst=10.244.1.5,tp_dst=80,dl_vlan=5,nw_tos=32")
            .unwrap()
            .packet();
        for matches in [
            "ip",
            "tcp",
            "in_port=web",
            "in_port=\"web\"",
            "ct_state=+new-est+trk",
            "ct_state=0x1/0x3",
            "reg0=0x2/0x2",
            "nw_dst=10.244.0.0/16",
            "nw_dst=10.0.1.0/255.0.255.0",
            "tp_dst=0x50/0xfff0",
            "vlan_tci=0x1000/0x1000",
            "dl_vlan=5",
            "nw_frag=not_later",
            "xxreg0=0x287000000000000000000000000",
            "ip_dscp=8",
        ] {
            assert!(parsed(matches).is_ok_and(|it| it.matches(&packet)), "{matches}");
        }
        for other in ["udp", "arp", "in_port=LOCAL", "ct_state=-new", "dl_vlan=6", "nw_frag=yes", "tp_dst=81"]
        {
            assert!(parsed(other).is_ok_and(|it| !it.matches(&packet)), "{other}");
        }
        for bad in
            ["teleport", "reg0=zzz", "nw_src=1.2.3", "ct_state=+old", "in_port=nowhere", "nw_frag=maybe"]
        {
            assert_eq!(parsed(bad), Err(BadMatch(bad.into())), "{bad}");
        }
    }
}
