//! The symbols of matches and actions, and their prerequisites.
//!
//! A symbol is a field, some bits of a field, or a predicate, which is a named expression. If only some packets have a
//! field, the field has a prerequisite: an expression that is true for these packets. Every comparison with the field
//! implies it. The table is that of OVN 26.03 (`lib/logical-fields.c`).

use packet::{Field, Subfield};
use std::{collections::HashMap, sync::LazyLock};

/// The meaning of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A port, which matches compare with a name.
    Port(Field),
    /// A field whose bits can be compared in any way.
    Field(Field),
    /// A field that can only be tested for equality, and only as a whole.
    Nominal(Field),
    /// Some bits of a field: the lowest bit and the number of bits.
    Part(Field, u8, u8),
    /// A named expression.
    Predicate(&'static str),
    /// A field of this width that is not part of the packet. Actions set it for the packet that they create; no match
    /// reads it.
    Outside(u8),
}

/// A symbol of the language.
#[derive(Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name of the symbol.
    pub name: &'static str,
    /// The meaning of the symbol.
    pub meaning: Meaning,
    /// The prerequisite as a match, or an empty text.
    pub prerequisite: &'static str,
}

impl Symbol {
    /// Returns the symbol with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        static BY_NAME: LazyLock<HashMap<&str, &Symbol>> =
            LazyLock::new(|| SYMBOLS.iter().map(|symbol| (symbol.name, symbol)).collect());
        BY_NAME.get(name).copied()
    }

    /// Returns the number of bits, or `None` for a port.
    #[must_use]
    pub fn width(&self) -> Option<u8> {
        match self.meaning {
            Meaning::Port(_) => None,
            Meaning::Field(field) | Meaning::Nominal(field) => Some(field.width()),
            Meaning::Part(_, _, width) | Meaning::Outside(width) => Some(width),
            Meaning::Predicate(_) => Some(1),
        }
    }

    /// Returns the bits of the symbol in a packet, or `None` for a predicate.
    #[must_use]
    pub fn place(&self) -> Option<Subfield> {
        match self.meaning {
            Meaning::Port(field) | Meaning::Field(field) | Meaning::Nominal(field) => Some(field.into()),
            Meaning::Part(field, first, width) => Subfield::of(field, first, width),
            Meaning::Predicate(_) | Meaning::Outside(_) => None,
        }
    }
}

const fn symbol(name: &'static str, meaning: Meaning, prerequisite: &'static str) -> Symbol {
    Symbol { name, meaning, prerequisite }
}

/// All symbols of the language. A predicate uses only symbols before it.
pub static SYMBOLS: &[Symbol] = &[
    symbol("inport", Meaning::Port(Field::REG14), ""),
    symbol("outport", Meaning::Port(Field::REG15), ""),
    symbol("__inport", Meaning::Field(Field::REG14), ""),
    symbol("__outport", Meaning::Field(Field::REG15), ""),
    symbol("from_evpn_vtep", Meaning::Predicate("__inport[31]"), ""),
    symbol("to_evpn_vtep", Meaning::Predicate("__outport[31]"), ""),
    symbol("remote_outport", Meaning::Port(Field::REG1), ""),
    symbol("xxreg0", Meaning::Field(Field::XXREG0), ""),
    symbol("xxreg1", Meaning::Field(Field::XXREG1), ""),
    symbol("xreg0", Meaning::Field(Field::XREG0), ""),
    symbol("xreg1", Meaning::Field(Field::XREG1), ""),
    symbol("xreg2", Meaning::Field(Field::XREG2), ""),
    symbol("xreg3", Meaning::Field(Field::XREG3), ""),
    symbol("xreg4", Meaning::Field(Field::XREG4), ""),
    symbol("reg0", Meaning::Field(Field::REG0), ""),
    symbol("reg1", Meaning::Field(Field::REG1), ""),
    symbol("reg2", Meaning::Field(Field::REG2), ""),
    symbol("reg3", Meaning::Field(Field::REG3), ""),
    symbol("reg4", Meaning::Field(Field::REG4), ""),
    symbol("reg5", Meaning::Field(Field::REG5), ""),
    symbol("reg6", Meaning::Field(Field::REG6), ""),
    symbol("reg7", Meaning::Field(Field::REG7), ""),
    symbol("reg8", Meaning::Field(Field::REG8), ""),
    symbol("reg9", Meaning::Field(Field::REG9), ""),
    symbol("flags", Meaning::Field(Field::REG10), ""),
    symbol("flags.loopback", Meaning::Part(Field::REG10, 0, 1), ""),
    symbol("flags.force_snat_for_dnat", Meaning::Part(Field::REG10, 2, 1), ""),
    symbol("flags.force_snat_for_lb", Meaning::Part(Field::REG10, 3, 1), ""),
    symbol("flags.skip_snat_for_lb", Meaning::Part(Field::REG10, 9, 1), ""),
    symbol("flags.use_snat_zone", Meaning::Part(Field::REG10, 11, 1), ""),
    symbol("flags.localnet", Meaning::Part(Field::REG10, 15, 1), ""),
    symbol("flags.icmp_snat", Meaning::Part(Field::REG10, 17, 1), ""),
    symbol("flags.tunnel_rx", Meaning::Part(Field::REG10, 16, 1), ""),
    symbol("flags.unsnat_new", Meaning::Part(Field::REG10, 20, 1), ""),
    symbol("flags.unsnat_not_tracked", Meaning::Part(Field::REG10, 21, 1), ""),
    symbol("flags.from_ctrl", Meaning::Part(Field::REG10, 19, 1), ""),
    symbol("flags.igmp_loopback", Meaning::Part(Field::REG10, 22, 1), ""),
    symbol("flags.pkt_sampled", Meaning::Part(Field::REG10, 23, 1), ""),
    symbol("flags.network_id", Meaning::Part(Field::REG10, 28, 4), ""),
    symbol("ct_mark", Meaning::Field(Field::CT_MARK), ""),
    symbol("ct_mark.blocked", Meaning::Part(Field::CT_MARK, 0, 1), ""),
    symbol("ct_mark.natted", Meaning::Part(Field::CT_MARK, 1, 1), ""),
    symbol("ct_mark.skip_snat", Meaning::Part(Field::CT_MARK, 2, 1), ""),
    symbol("ct_mark.force_snat", Meaning::Part(Field::CT_MARK, 3, 1), ""),
    symbol("ct_mark.obs_stage", Meaning::Part(Field::CT_MARK, 4, 2), ""),
    symbol("ct_mark.allow_established", Meaning::Part(Field::CT_MARK, 6, 1), ""),
    symbol("ct_mark.ecmp_reply_port", Meaning::Part(Field::CT_MARK, 16, 16), ""),
    symbol("ct_mark.obs_collector_id", Meaning::Part(Field::CT_MARK, 16, 8), ""),
    symbol("ct_label", Meaning::Field(Field::CT_LABEL), ""),
    symbol("ct_label.ecmp_reply_eth", Meaning::Part(Field::CT_LABEL, 32, 48), ""),
    symbol("ct_label.label", Meaning::Part(Field::CT_LABEL, 96, 32), ""),
    symbol("ct_label.obs_point_id", Meaning::Part(Field::CT_LABEL, 96, 32), ""),
    symbol("ct_label.obs_unused", Meaning::Part(Field::CT_LABEL, 0, 96), ""),
    symbol("ct_label.acl_id", Meaning::Part(Field::CT_LABEL, 80, 16), ""),
    symbol("ct_label.nf", Meaning::Part(Field::CT_LABEL, 7, 1), ""),
    symbol("ct_label.nf_id", Meaning::Part(Field::CT_LABEL, 17, 8), ""),
    symbol("ct_label.tun_if", Meaning::Part(Field::CT_LABEL, 8, 1), ""),
    symbol("ct_label.tun_if_id", Meaning::Part(Field::CT_LABEL, 80, 16), ""),
    symbol("ct_state", Meaning::Field(Field::CT_STATE), ""),
    symbol("ct.new", Meaning::Part(Field::CT_STATE, 0, 1), "ct.trk"),
    symbol("ct.est", Meaning::Part(Field::CT_STATE, 1, 1), "ct.trk"),
    symbol("ct.rel", Meaning::Part(Field::CT_STATE, 2, 1), "ct.trk"),
    symbol("ct.rpl", Meaning::Part(Field::CT_STATE, 3, 1), "ct.trk"),
    symbol("ct.inv", Meaning::Part(Field::CT_STATE, 4, 1), "ct.trk"),
    symbol("ct.trk", Meaning::Part(Field::CT_STATE, 5, 1), ""),
    symbol("ct.snat", Meaning::Part(Field::CT_STATE, 6, 1), "ct.trk"),
    symbol("ct.dnat", Meaning::Part(Field::CT_STATE, 7, 1), "ct.trk"),
    symbol("eth.src", Meaning::Field(Field::ETH_SRC), ""),
    symbol("eth.dst", Meaning::Field(Field::ETH_DST), ""),
    symbol("eth.type", Meaning::Nominal(Field::ETH_TYPE), ""),
    symbol("eth.bcast", Meaning::Predicate("eth.dst == ff:ff:ff:ff:ff:ff"), ""),
    symbol("eth.mcast", Meaning::Part(Field::ETH_DST, 40, 1), ""),
    symbol("eth.mcastv6", Meaning::Predicate("eth.dst[32..47] == 0x3333"), ""),
    symbol("vlan.tci", Meaning::Field(Field::VLAN_TCI), ""),
    symbol("vlan.present", Meaning::Predicate("vlan.tci[12]"), ""),
    symbol("vlan.pcp", Meaning::Part(Field::VLAN_TCI, 13, 3), "vlan.present"),
    symbol("vlan.vid", Meaning::Part(Field::VLAN_TCI, 0, 12), "vlan.present"),
    symbol("ip4", Meaning::Predicate("eth.type == 0x800"), ""),
    symbol("ip6", Meaning::Predicate("eth.type == 0x86dd"), ""),
    symbol("ip", Meaning::Predicate("ip4 || ip6"), ""),
    symbol("ip.proto", Meaning::Nominal(Field::IP_PROTO), "ip"),
    symbol("ip.dscp", Meaning::Nominal(Field::IP_DSCP), "ip"),
    symbol("ip.ecn", Meaning::Nominal(Field::IP_ECN), "ip"),
    symbol("ip.ttl", Meaning::Nominal(Field::IP_TTL), "ip"),
    symbol("ip4.src", Meaning::Field(Field::IP_SRC), "ip4"),
    symbol("ip4.dst", Meaning::Field(Field::IP_DST), "ip4"),
    symbol("ip4.src_mcast", Meaning::Predicate("ip4.src[28..31] == 0xe"), ""),
    symbol("ip4.mcast", Meaning::Predicate("eth.mcast && ip4.dst[28..31] == 0xe"), ""),
    symbol("icmp4", Meaning::Predicate("ip4 && ip.proto == 1"), ""),
    symbol("icmp4.type", Meaning::Nominal(Field::ICMP4_TYPE), "icmp4"),
    symbol("icmp4.code", Meaning::Nominal(Field::ICMP4_CODE), "icmp4"),
    symbol("igmp", Meaning::Predicate("ip4.mcast && ip.proto == 2"), ""),
    symbol("ip6.src", Meaning::Field(Field::IPV6_SRC), "ip6"),
    symbol("ip6.dst", Meaning::Field(Field::IPV6_DST), "ip6"),
    symbol("ip6.label", Meaning::Field(Field::IPV6_LABEL), "ip6"),
    symbol("ip6.mcast_rsvd", Meaning::Predicate("ip6.dst[116..127] == 0xff0 && ip6.dst[0..111] == 0"), ""),
    symbol("ip6.mcast_all_nodes", Meaning::Predicate("ip6.dst == {ff01::1, ff02::1}"), ""),
    symbol("ip6.mcast_all_rtrs", Meaning::Predicate("ip6.dst == {ff01::2, ff02::2, ff05::2}"), ""),
    symbol("ip6.mcast_sol_node", Meaning::Predicate("ip6.dst == ff02::1:ff00:0/104"), ""),
    symbol(
        "ip6.mcast_flood",
        Meaning::Predicate(
            "eth.mcastv6 && (ip6.mcast_rsvd || ip6.mcast_all_nodes || ip6.mcast_all_rtrs || ip6.mcast_sol_node)",
        ),
        "",
    ),
    symbol("ip6.mcast", Meaning::Predicate("eth.mcastv6 && ip6.dst[120..127] == 0xff"), ""),
    symbol("icmp6", Meaning::Predicate("ip6 && ip.proto == 58"), ""),
    symbol("icmp6.type", Meaning::Nominal(Field::ICMP6_TYPE), "icmp6"),
    symbol("icmp6.code", Meaning::Nominal(Field::ICMP6_CODE), "icmp6"),
    symbol("icmp", Meaning::Predicate("icmp4 || icmp6"), ""),
    symbol("ip.frag", Meaning::Field(Field::IP_FRAG), "ip"),
    symbol("ip.is_frag", Meaning::Predicate("ip.frag[0]"), ""),
    symbol("ip.later_frag", Meaning::Predicate("ip.frag[1]"), ""),
    symbol("ip.first_frag", Meaning::Predicate("ip.is_frag && !ip.later_frag"), ""),
    symbol("arp", Meaning::Predicate("eth.type == 0x806"), ""),
    symbol("arp.op", Meaning::Nominal(Field::ARP_OP), "arp"),
    symbol("arp.spa", Meaning::Field(Field::ARP_SPA), "arp"),
    symbol("arp.sha", Meaning::Field(Field::ARP_SHA), "arp"),
    symbol("arp.tpa", Meaning::Field(Field::ARP_TPA), "arp"),
    symbol("arp.tha", Meaning::Field(Field::ARP_THA), "arp"),
    symbol("rarp", Meaning::Predicate("eth.type == 0x8035"), ""),
    symbol("rarp.op", Meaning::Nominal(Field::ARP_OP), "rarp"),
    symbol("rarp.spa", Meaning::Field(Field::ARP_SPA), "rarp"),
    symbol("rarp.sha", Meaning::Field(Field::ARP_SHA), "rarp"),
    symbol("rarp.tpa", Meaning::Field(Field::ARP_TPA), "rarp"),
    symbol("rarp.tha", Meaning::Field(Field::ARP_THA), "rarp"),
    symbol("nd", Meaning::Predicate("icmp6.type == {135, 136} && icmp6.code == 0 && ip.ttl == 255"), ""),
    symbol("nd_ns", Meaning::Predicate("icmp6.type == 135 && icmp6.code == 0 && ip.ttl == 255"), ""),
    symbol("nd_na", Meaning::Predicate("icmp6.type == 136 && icmp6.code == 0 && ip.ttl == 255"), ""),
    symbol("nd_rs", Meaning::Predicate("icmp6.type == 133 && icmp6.code == 0 && ip.ttl == 255"), ""),
    symbol("nd_ra", Meaning::Predicate("icmp6.type == 134 && icmp6.code == 0 && ip.ttl == 255"), ""),
    symbol(
        "nd_ns_mcast",
        Meaning::Predicate("ip6.mcast && icmp6.type == 135 && icmp6.code == 0 && ip.ttl == 255"),
        "",
    ),
    symbol("nd.target", Meaning::Field(Field::ND_TARGET), "nd"),
    symbol("nd.sll", Meaning::Field(Field::ND_SLL), "nd_ns"),
    symbol("nd.tll", Meaning::Field(Field::ND_TLL), "nd_na"),
    symbol(
        "mldv1",
        Meaning::Predicate("eth.mcastv6 && ip6.src == fe80::/10 && icmp6.type == {130, 131, 132}"),
        "",
    ),
    symbol("mldv2", Meaning::Predicate("eth.mcastv6 && ip6.dst == ff02::16 && icmp6.type == 143"), ""),
    symbol("tcp", Meaning::Predicate("ip.proto == 6"), ""),
    symbol("tcp.src", Meaning::Field(Field::TCP_SRC), "tcp"),
    symbol("tcp.dst", Meaning::Field(Field::TCP_DST), "tcp"),
    symbol("udp", Meaning::Predicate("ip.proto == 17"), ""),
    symbol("udp.src", Meaning::Field(Field::UDP_SRC), "udp"),
    symbol("udp.dst", Meaning::Field(Field::UDP_DST), "udp"),
    symbol("sctp", Meaning::Predicate("ip.proto == 132"), ""),
    symbol("sctp.src", Meaning::Field(Field::SCTP_SRC), "sctp"),
    symbol("sctp.dst", Meaning::Field(Field::SCTP_DST), "sctp"),
    symbol("tcp.flags", Meaning::Field(Field::TCP_FLAGS), "tcp"),
    symbol("pkt.mark", Meaning::Field(Field::PKT_MARK), ""),
    symbol("icmp4.frag_mtu", Meaning::Outside(16), ""),
    symbol("icmp6.frag_mtu", Meaning::Outside(32), ""),
    symbol("icmp4.inner_ip4.src", Meaning::Outside(32), ""),
];
