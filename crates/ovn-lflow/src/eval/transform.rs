//! Executes the actions that replace the packet with another packet.

use super::{Machine, StagePosition};
use crate::{
    actions::{Action, Verb},
    tree::{Line, LineKind},
};
use packet::{Field, Packet};

const RST: u128 = 4;

impl Machine<'_> {
    /// Executes an action with nested actions in braces.
    pub(crate) fn block(
        &mut self,
        verb: Verb,
        actions: &[Action],
        place: StagePosition,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        // A rejection goes back to the sender. For the other packets, the nested actions decide the direction.
        let answers = verb == Verb::Reject;
        let verb = match (verb, packet.get(Field::IP_PROTO)) {
            (Verb::Reject, 6) => Verb::TcpReset,
            (Verb::Reject, 132) => Verb::SctpAbort,
            (Verb::Reject, _) if packet.is_ip4() => Verb::Icmp4,
            (Verb::Reject, _) => Verb::Icmp6,
            (verb, _) => verb,
        };
        // No error is sent in response to an error.
        if answers && is_error(verb, packet) {
            return;
        }
        let mut made = packet.clone();
        let title = match verb {
            Verb::Arp => {
                arp(&mut made);
                "arp"
            }
            Verb::NdNa | Verb::NdNaRouter => {
                neighbour_advertisement(&mut made);
                "nd_na"
            }
            Verb::NdNs => {
                neighbour_solicitation(&mut made);
                "nd_ns"
            }
            Verb::Icmp4 | Verb::Icmp4Error => {
                unreachable(&mut made, Field::ICMP4_TYPE, Field::ICMP4_CODE, (1, 3));
                "icmp4"
            }
            Verb::Icmp6 | Verb::Icmp6Error => {
                unreachable(&mut made, Field::ICMP6_TYPE, Field::ICMP6_CODE, (58, 1));
                "icmp6"
            }
            Verb::TcpReset | Verb::SctpAbort => {
                made.set(Field::IP_TTL, 255);
                made.set(Field::TCP_FLAGS, RST);
                verb.text()
            }
            _ => verb.text(),
        };
        if answers {
            made.exchange(Field::ETH_SRC.into(), Field::ETH_DST.into());
            if packet.is_ip6() {
                made.exchange(Field::IPV6_SRC.into(), Field::IPV6_DST.into());
            } else {
                made.exchange(Field::IP_SRC.into(), Field::IP_DST.into());
            }
            if !self.is_ovn_trace() && matches!(verb, Verb::TcpReset | Verb::SctpAbort) {
                made.exchange(Field::TCP_SRC.into(), Field::TCP_DST.into());
            }
        }
        if !self.is_ovn_trace() && verb != Verb::Clone {
            // ovn-controller creates this packet, so conntrack has not seen it.
            made.clear_ct();
        }
        let mut line = Line::new(LineKind::Transformation, title);
        self.actions(actions, place, &mut made, &mut line.within);
        lines.push(line);
    }
}

fn is_error(verb: Verb, packet: &Packet) -> bool {
    match verb {
        Verb::TcpReset => packet.get(Field::TCP_FLAGS) == RST,
        Verb::SctpAbort => packet.get(Field::TCP_FLAGS) == RST,
        Verb::Icmp4 => packet.get(Field::TCP_SRC) == 3,
        Verb::Icmp6 => packet.get(Field::TCP_SRC) == 1,
        _ => false,
    }
}

fn arp(made: &mut Packet) {
    for field in [Field::IP_FRAG, Field::IP_TOS, Field::IP_TTL, Field::TCP_FLAGS, Field::ARP_THA] {
        made.set(field, 0);
    }
    made.set(Field::ETH_TYPE, 0x0806);
    made.set(Field::ARP_OP, 1);
    // The ARP sender and target addresses are those of the packet.
    made.set(Field::ARP_SHA, made.get(Field::ETH_SRC));
}

fn neighbour_advertisement(made: &mut Packet) {
    made.exchange(Field::ETH_SRC.into(), Field::ETH_DST.into());
    made.set(Field::IPV6_DST, made.get(Field::IPV6_SRC));
    made.set(Field::IPV6_SRC, made.get(Field::ND_TARGET));
    made.set(Field::TCP_SRC, 136);
    made.set(Field::ND_SLL, 0);
    made.set(Field::ND_TLL, made.get(Field::ETH_SRC));
}

fn neighbour_solicitation(made: &mut Packet) {
    let target = made.get(Field::IPV6_DST);
    made.set(Field::ND_TLL, made.get(Field::ETH_DST));
    // The destination is the solicited-node multicast address (RFC 4291, 2.7.1; RFC 2464, 7).
    made.set(Field::ETH_DST, 0x3333_ff00_0000 | target & 0xff_ffff);
    made.set(Field::TCP_SRC, 135);
    made.set(Field::ND_SLL, 0);
}

fn unreachable(made: &mut Packet, kind: Field, code: Field, (protocol, number): (u128, u128)) {
    made.set(Field::IP_PROTO, protocol);
    made.set(Field::IP_TTL, 255);
    made.set(Field::TCP_SRC, 0);
    made.set(Field::TCP_DST, 0);
    made.set(kind, number);
    made.set(code, 1);
}
