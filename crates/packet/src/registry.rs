//! The table of all fields.
//!
//! The names are those of ovs-fields(7). The aliases are other spellings that ovs-ofctl(8) accepts or prints.

use crate::{Field, Packet};
use std::fmt;

/// The notation of the values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldNotation {
    /// A MAC address.
    Mac,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A decimal number.
    Decimal,
    /// A hexadecimal number.
    Hex,
    /// The names of connection tracking bits.
    CtState,
}

impl fmt::Display for FieldNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mac => "a MAC address or a number",
            Self::Ip4 => "an IPv4 address or a number",
            Self::Ip6 => "an IPv6 address or a number",
            Self::Decimal | Self::Hex => "a number",
            Self::CtState => "names of connection tracking states or a number",
        })
    }
}

/// The position, width and notation of a field.
pub(crate) struct FieldInfo {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) cell: Cell,
    pub(crate) shift: u8,
    pub(crate) width: u8,
    pub(crate) kind: FieldNotation,
    pub(crate) shown: fn(&Packet) -> bool,
}

fn always(_: &Packet) -> bool {
    true
}

fn never(_: &Packet) -> bool {
    false
}

fn arp(packet: &Packet) -> bool {
    matches!(packet.get(Field::ETH_TYPE), 0x0806 | 0x8035)
}

fn not_arp(packet: &Packet) -> bool {
    !arp(packet)
}

fn is_ip6(packet: &Packet) -> bool {
    packet.is_ip6()
}

fn not_ip6(packet: &Packet) -> bool {
    !packet.is_ip6()
}

fn icmp4(packet: &Packet) -> bool {
    packet.is_ip4() && packet.get(Field::IP_PROTO) == 1
}

fn icmp6(packet: &Packet) -> bool {
    packet.is_ip6() && packet.get(Field::IP_PROTO) == 58
}

/// Returns whether the packet prints these bits as ports. This includes unknown protocols, so that no value is hidden.
fn ports(packet: &Packet) -> bool {
    !icmp4(packet) && !icmp6(packet)
}

/// The storage of some bits. Fields that share bits share a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    InPort,
    Metadata,
    PktMark,
    SkbPriority,
    DpHash,
    RecircId,
    ConjId,
    ActsetOutput,
    PacketType,
    TunId,
    TunSrc,
    TunDst,
    TunIpv6Src,
    TunIpv6Dst,
    TunFlags,
    TunTtl,
    TunTos,
    TunMetadata0,
    TunMetadata1,
    TunMetadata2,
    TunMetadata3,
    TunMetadata4,
    TunMetadata5,
    TunMetadata6,
    TunMetadata7,
    CtState,
    CtZone,
    CtMark,
    CtLabel,
    CtNwProto,
    CtNwSrc,
    CtNwDst,
    CtIpv6Src,
    CtIpv6Dst,
    CtTpSrc,
    CtTpDst,
    Reg0,
    Reg1,
    Reg2,
    Reg3,
    EthSrc,
    EthDst,
    EthType,
    VlanTci,
    Mpls,
    IpSrc,
    IpDst,
    Ipv6Src,
    Ipv6Dst,
    Ipv6Label,
    IpProto,
    IpTos,
    IpTtl,
    IpFrag,
    ArpSha,
    ArpTha,
    TpSrc,
    TpDst,
    TcpFlags,
    NdTarget,
}

/// The number of cells.
pub(crate) const CELLS: usize = Cell::NdTarget as usize + 1;

macro_rules! fields {
    ($($number:literal $constant:ident $name:literal $aliases:tt $cell:ident $shift:literal $width:literal $kind:ident $shown:ident $doc:literal)*) => {
        impl Field {
            $(#[doc = $doc] pub const $constant: Self = Self($number);)*
        }

        pub(crate) const FIELDS: &[FieldInfo] = &[
            $(FieldInfo {
                name: $name,
                aliases: &$aliases,
                cell: Cell::$cell,
                shift: $shift,
                width: $width,
                kind: FieldNotation::$kind,
                shown: $shown,
            },)*
        ];
    };
}

fields! {
    0 IN_PORT "in_port" ["in_port_oxm"] InPort 0 32 Decimal always "The OpenFlow port through which the packet entered."
    1 METADATA "metadata" [] Metadata 0 64 Hex always "The OpenFlow metadata: in OVN, the key of the logical datapath."
    2 PKT_MARK "pkt_mark" [] PktMark 0 32 Hex always "The packet mark of the kernel."
    3 SKB_PRIORITY "skb_priority" [] SkbPriority 0 32 Hex always "The packet's priority and queue in the kernel."
    4 DP_HASH "dp_hash" [] DpHash 0 32 Hex always "A hash of the packet that the datapath computed."
    5 RECIRC_ID "recirc_id" [] RecircId 0 32 Hex always "The recirculation ID, which identifies where processing continues."
    6 CONJ_ID "conj_id" [] ConjId 0 32 Decimal always "The conjunctive match that the packet satisfies."
    7 ACTSET_OUTPUT "actset_output" [] ActsetOutput 0 32 Decimal always "The port in the action set."
    8 PACKET_TYPE "packet_type" [] PacketType 0 32 Hex always "The type of the outermost header; 0 is Ethernet."
    9 TUN_ID "tun_id" ["tunnel_id"] TunId 0 64 Hex always "The tunnel's key, such as the VNI."
    10 TUN_SRC "tun_src" [] TunSrc 0 32 Ip4 always "The outer IPv4 source."
    11 TUN_DST "tun_dst" [] TunDst 0 32 Ip4 always "The outer IPv4 destination."
    12 TUN_IPV6_SRC "tun_ipv6_src" [] TunIpv6Src 0 128 Ip6 always "The outer IPv6 source."
    13 TUN_IPV6_DST "tun_ipv6_dst" [] TunIpv6Dst 0 128 Ip6 always "The outer IPv6 destination."
    14 TUN_FLAGS "tun_flags" [] TunFlags 0 16 Hex always "The tunnel flags."
    15 TUN_TTL "tun_ttl" [] TunTtl 0 8 Decimal always "The outer TTL."
    16 TUN_TOS "tun_tos" [] TunTos 0 8 Hex always "The outer type of service."
    17 TUN_METADATA0 "tun_metadata0" [] TunMetadata0 0 128 Hex always "Tunnel option 0; in OVN, it holds the keys of the ports."
    18 TUN_METADATA1 "tun_metadata1" [] TunMetadata1 0 128 Hex always "Tunnel option 1."
    19 TUN_METADATA2 "tun_metadata2" [] TunMetadata2 0 128 Hex always "Tunnel option 2."
    20 TUN_METADATA3 "tun_metadata3" [] TunMetadata3 0 128 Hex always "Tunnel option 3."
    21 TUN_METADATA4 "tun_metadata4" [] TunMetadata4 0 128 Hex always "Tunnel option 4."
    22 TUN_METADATA5 "tun_metadata5" [] TunMetadata5 0 128 Hex always "Tunnel option 5."
    23 TUN_METADATA6 "tun_metadata6" [] TunMetadata6 0 128 Hex always "Tunnel option 6."
    24 TUN_METADATA7 "tun_metadata7" [] TunMetadata7 0 128 Hex always "Tunnel option 7."
    25 CT_STATE "ct_state" [] CtState 0 32 CtState always "The bits of connection tracking."
    26 CT_ZONE "ct_zone" [] CtZone 0 16 Decimal always "The conntrack zone of the last lookup."
    27 CT_MARK "ct_mark" [] CtMark 0 32 Hex always "The mark of the connection."
    28 CT_LABEL "ct_label" [] CtLabel 0 128 Hex always "The label of the connection."
    29 CT_NW_PROTO "ct_nw_proto" [] CtNwProto 0 8 Decimal always "The protocol of the first packet of the connection."
    30 CT_NW_SRC "ct_nw_src" [] CtNwSrc 0 32 Ip4 always "The IPv4 source of the first packet of the connection."
    31 CT_NW_DST "ct_nw_dst" [] CtNwDst 0 32 Ip4 always "The IPv4 destination of the first packet of the connection."
    32 CT_IPV6_SRC "ct_ipv6_src" [] CtIpv6Src 0 128 Ip6 always "The IPv6 source of the first packet of the connection."
    33 CT_IPV6_DST "ct_ipv6_dst" [] CtIpv6Dst 0 128 Ip6 always "The IPv6 destination of the first packet of the connection."
    34 CT_TP_SRC "ct_tp_src" [] CtTpSrc 0 16 Decimal always "The source port of the first packet of the connection."
    35 CT_TP_DST "ct_tp_dst" [] CtTpDst 0 16 Decimal always "The destination port of the first packet of the connection."
    36 REG0 "reg0" [] Reg0 96 32 Hex always "Register 0."
    37 REG1 "reg1" [] Reg0 64 32 Hex always "Register 1."
    38 REG2 "reg2" [] Reg0 32 32 Hex always "Register 2."
    39 REG3 "reg3" [] Reg0 0 32 Hex always "Register 3."
    40 REG4 "reg4" [] Reg1 96 32 Hex always "Register 4."
    41 REG5 "reg5" [] Reg1 64 32 Hex always "Register 5."
    42 REG6 "reg6" [] Reg1 32 32 Hex always "Register 6."
    43 REG7 "reg7" [] Reg1 0 32 Hex always "Register 7."
    44 REG8 "reg8" [] Reg2 96 32 Hex always "Register 8."
    45 REG9 "reg9" [] Reg2 64 32 Hex always "Register 9."
    46 REG10 "reg10" [] Reg2 32 32 Hex always "Register 10."
    47 REG11 "reg11" [] Reg2 0 32 Hex always "Register 11."
    48 REG12 "reg12" [] Reg3 96 32 Hex always "Register 12."
    49 REG13 "reg13" [] Reg3 64 32 Hex always "Register 13."
    50 REG14 "reg14" [] Reg3 32 32 Hex always "Register 14."
    51 REG15 "reg15" [] Reg3 0 32 Hex always "Register 15."
    52 XREG0 "xreg0" [] Reg0 64 64 Hex never "Registers 0 and 1."
    53 XREG1 "xreg1" [] Reg0 0 64 Hex never "Registers 2 and 3."
    54 XREG2 "xreg2" [] Reg1 64 64 Hex never "Registers 4 and 5."
    55 XREG3 "xreg3" [] Reg1 0 64 Hex never "Registers 6 and 7."
    56 XREG4 "xreg4" [] Reg2 64 64 Hex never "Registers 8 and 9."
    57 XREG5 "xreg5" [] Reg2 0 64 Hex never "Registers 10 and 11."
    58 XREG6 "xreg6" [] Reg3 64 64 Hex never "Registers 12 and 13."
    59 XREG7 "xreg7" [] Reg3 0 64 Hex never "Registers 14 and 15."
    60 XXREG0 "xxreg0" [] Reg0 0 128 Hex never "Registers 0 to 3."
    61 XXREG1 "xxreg1" [] Reg1 0 128 Hex never "Registers 4 to 7."
    62 XXREG2 "xxreg2" [] Reg2 0 128 Hex never "Registers 8 to 11."
    63 XXREG3 "xxreg3" [] Reg3 0 128 Hex never "Registers 12 to 15."
    64 ETH_SRC "eth_src" ["dl_src"] EthSrc 0 48 Mac always "The Ethernet source."
    65 ETH_DST "eth_dst" ["dl_dst"] EthDst 0 48 Mac always "The Ethernet destination."
    66 ETH_TYPE "eth_type" ["dl_type"] EthType 0 16 Hex always "The Ethernet type of the payload."
    67 VLAN_TCI "vlan_tci" [] VlanTci 0 16 Hex always "The VLAN tag. Bit 12 is set if the packet has a tag."
    68 VLAN_VID "dl_vlan" [] VlanTci 0 12 Decimal never "The VLAN ID."
    69 VLAN_VID_PRESENT "vlan_vid" [] VlanTci 0 13 Hex never "The VLAN ID and bit 12, which is set if the packet has a VLAN tag."
    70 VLAN_PCP "vlan_pcp" ["dl_vlan_pcp"] VlanTci 13 3 Decimal never "The VLAN priority."
    71 MPLS_LABEL "mpls_label" [] Mpls 12 20 Decimal always "The outermost MPLS label."
    72 MPLS_TC "mpls_tc" [] Mpls 9 3 Decimal always "The MPLS traffic class."
    73 MPLS_BOS "mpls_bos" [] Mpls 8 1 Decimal always "The MPLS bottom-of-stack bit."
    74 MPLS_TTL "mpls_ttl" [] Mpls 0 8 Decimal always "The MPLS TTL."
    75 IP_SRC "ip_src" ["nw_src"] IpSrc 0 32 Ip4 not_arp "The IPv4 source."
    76 IP_DST "ip_dst" ["nw_dst"] IpDst 0 32 Ip4 not_arp "The IPv4 destination."
    77 IPV6_SRC "ipv6_src" [] Ipv6Src 0 128 Ip6 always "The IPv6 source."
    78 IPV6_DST "ipv6_dst" [] Ipv6Dst 0 128 Ip6 always "The IPv6 destination."
    79 IPV6_LABEL "ipv6_label" [] Ipv6Label 0 20 Hex always "The IPv6 flow label."
    80 IP_PROTO "nw_proto" ["ip_proto"] IpProto 0 8 Decimal not_arp "The IP protocol."
    81 IP_TOS "nw_tos" [] IpTos 0 8 Decimal always "The DSCP in the upper six bits, and ECN in the lower two bits."
    82 IP_DSCP "ip_dscp" [] IpTos 2 6 Decimal never "The DSCP."
    83 IP_ECN "nw_ecn" ["ip_ecn"] IpTos 0 2 Decimal never "The ECN bits."
    84 IP_TTL "nw_ttl" [] IpTtl 0 8 Decimal always "The TTL or hop limit."
    85 IP_FRAG "ip_frag" ["nw_frag"] IpFrag 0 2 Decimal always "The fragment bits. Bit 0: a fragment; bit 1: not the first fragment."
    86 ARP_OP "arp_op" [] IpProto 0 16 Decimal arp "The ARP operation: 1 is a request, 2 a reply."
    87 ARP_SPA "arp_spa" [] IpSrc 0 32 Ip4 arp "The IPv4 address of the ARP sender."
    88 ARP_TPA "arp_tpa" [] IpDst 0 32 Ip4 arp "The IPv4 address of the ARP target."
    89 ARP_SHA "arp_sha" [] ArpSha 0 48 Mac not_ip6 "The MAC address of the ARP sender."
    90 ARP_THA "arp_tha" [] ArpTha 0 48 Mac not_ip6 "The MAC address of the ARP target."
    91 TCP_SRC "tcp_src" ["tp_src"] TpSrc 0 16 Decimal ports "The TCP source port."
    92 TCP_DST "tcp_dst" ["tp_dst"] TpDst 0 16 Decimal ports "The TCP destination port."
    93 TCP_FLAGS "tcp_flags" [] TcpFlags 0 12 Hex always "The TCP flags."
    94 UDP_SRC "udp_src" [] TpSrc 0 16 Decimal never "The UDP source port."
    95 UDP_DST "udp_dst" [] TpDst 0 16 Decimal never "The UDP destination port."
    96 SCTP_SRC "sctp_src" [] TpSrc 0 16 Decimal never "The SCTP source port."
    97 SCTP_DST "sctp_dst" [] TpDst 0 16 Decimal never "The SCTP destination port."
    98 ICMP4_TYPE "icmp_type" ["icmpv4_type"] TpSrc 0 8 Decimal icmp4 "The ICMP type."
    99 ICMP4_CODE "icmp_code" ["icmpv4_code"] TpDst 0 8 Decimal icmp4 "The ICMP code."
    100 ICMP6_TYPE "icmpv6_type" [] TpSrc 0 8 Decimal icmp6 "The ICMPv6 type."
    101 ICMP6_CODE "icmpv6_code" [] TpDst 0 8 Decimal icmp6 "The ICMPv6 code."
    102 ND_TARGET "nd_target" [] NdTarget 0 128 Ip6 always "The target address of neighbour discovery."
    103 ND_SLL "nd_sll" [] ArpSha 0 48 Mac is_ip6 "The sender's MAC address in a neighbour solicitation."
    104 ND_TLL "nd_tll" [] ArpTha 0 48 Mac is_ip6 "The target's MAC address in a neighbour advertisement."
}
