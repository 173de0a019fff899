//! The names of fields in flows, and the prerequisites of fields.

use packet::{Field, Packet, Subfield};

/// Returns the field of a name in a flow. Flows use the names of `ovs-fields(7)` (`reg0`, `nw_src`) or of OXM and NXM
/// (`NXM_NX_REG0`, `OXM_OF_PKT_REG4`).
pub(crate) fn named(name: &str) -> Option<Field> {
    let short = ["NXM_OF_", "NXM_NX_", "OXM_OF_"].iter().find_map(|prefix| name.strip_prefix(prefix));
    let Some(short) = short else {
        return match name {
            "vlan_tci1" => None,
            name => Field::named(name),
        };
    };
    let short = short.to_ascii_lowercase();
    if let Some(number) = short.strip_prefix("pkt_reg") {
        return Field::xreg(number.parse().ok()?);
    }
    match short.as_str() {
        "ip_tos" => Some(Field::IP_TOS),
        "ip_ttl" => Some(Field::IP_TTL),
        "ip_frag" => Some(Field::IP_FRAG),
        "ipv4_src" => Some(Field::IP_SRC),
        "ipv4_dst" => Some(Field::IP_DST),
        "tun_ipv4_src" => Some(Field::TUN_SRC),
        "tun_ipv4_dst" => Some(Field::TUN_DST),
        "tunnel_id" => Some(Field::TUN_ID),
        "ipv6_flabel" => Some(Field::IPV6_LABEL),
        "ipv6_nd_target" => Some(Field::ND_TARGET),
        "ipv6_nd_sll" => Some(Field::ND_SLL),
        "ipv6_nd_tll" => Some(Field::ND_TLL),
        short => Field::named(short),
    }
}

/// Parses a range of bits of a field: `NXM_NX_REG10[0..15]`, `OXM_OF_PKT_REG4[48]`, `NXM_NX_REG0[]`, `reg0`.
pub(crate) fn subfield(text: &str) -> Option<Subfield> {
    let (name, bits) = match text.split_once('[') {
        Some((name, bits)) => (name, bits.strip_suffix(']')?),
        None => (text, ""),
    };
    let field = named(name)?;
    // Open vSwitch's own port number has 16 bits; OpenFlow's has 32.
    let all = if name == "NXM_OF_IN_PORT" { 16 } else { field.width() };
    match bits.split_once("..") {
        Some((first, last)) => {
            let (first, last): (u8, u8) = (first.parse().ok()?, last.parse().ok()?);
            Subfield::of(field, first, last.checked_sub(first)?.checked_add(1)?)
        }
        None if bits.is_empty() => Subfield::of(field, 0, all),
        None => Subfield::of(field, bits.parse().ok()?, 1),
    }
}

/// Returns whether the packet has the field. An action that sets a field of another protocol does nothing
/// (`ovs-fields(7)`, "Prerequisites").
pub fn applies(field: Field, packet: &Packet) -> bool {
    let ethernet = packet.get(Field::ETH_TYPE);
    let ip = packet.is_ip4() || packet.is_ip6();
    let protocol = packet.get(Field::IP_PROTO);
    // Later fragments have no header above IP.
    let transport = ip && packet.get(Field::IP_FRAG) & 2 == 0;
    let discovery = |kinds: &[u128]| {
        transport
            && packet.is_ip6()
            && protocol == 58
            && packet.get(Field::ICMP6_CODE) == 0
            && kinds.contains(&packet.get(Field::ICMP6_TYPE))
    };
    match field {
        Field::IP_SRC | Field::IP_DST => packet.is_ip4(),
        Field::IPV6_SRC | Field::IPV6_DST | Field::IPV6_LABEL => packet.is_ip6(),
        Field::IP_PROTO | Field::IP_TOS | Field::IP_DSCP | Field::IP_ECN | Field::IP_TTL | Field::IP_FRAG => {
            ip
        }
        Field::ARP_OP | Field::ARP_SPA | Field::ARP_TPA | Field::ARP_SHA | Field::ARP_THA => {
            matches!(ethernet, 0x0806 | 0x8035)
        }
        Field::TCP_SRC | Field::TCP_DST | Field::TCP_FLAGS => transport && protocol == 6,
        Field::UDP_SRC | Field::UDP_DST => transport && protocol == 17,
        Field::SCTP_SRC | Field::SCTP_DST => transport && protocol == 132,
        Field::ICMP4_TYPE | Field::ICMP4_CODE => transport && packet.is_ip4() && protocol == 1,
        Field::ICMP6_TYPE | Field::ICMP6_CODE => transport && packet.is_ip6() && protocol == 58,
        Field::ND_TARGET => discovery(&[135, 136]),
        Field::ND_SLL => discovery(&[135]),
        Field::ND_TLL => discovery(&[136]),
        Field::VLAN_PCP => packet.get(Field::VLAN_TCI) & 0x1000 != 0,
        Field::MPLS_LABEL | Field::MPLS_TC | Field::MPLS_BOS | Field::MPLS_TTL => {
            matches!(ethernet, 0x8847 | 0x8848)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_kinds() {
        for (text, shown) in [
            ("NXM_NX_REG10[0..15]", "reg10[0..15]"),
            ("OXM_OF_PKT_REG4[48]", "xreg4[48]"),
            ("NXM_NX_XXREG0[]", "xxreg0"),
            ("NXM_OF_IN_PORT[]", "in_port[0..15]"),
            ("OXM_OF_IP_DSCP[]", "ip_dscp"),
            ("NXM_OF_IP_SRC[]", "ip_src"),
            ("NXM_NX_TUN_METADATA0[16..30]", "tun_metadata0[16..30]"),
            ("ct_mark", "ct_mark"),
        ] {
            assert_eq!(subfield(text).unwrap().to_string(), shown, "{text}");
        }
        for bad in ["", "reg16", "reg0[32]", "reg0[5..3]", "NXM_NX_REG0[0..", "PKT_REG0[]"] {
            assert_eq!(subfield(bad), None, "{bad}");
        }
    }
}
