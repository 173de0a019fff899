//! Checks port security: whether a port may send or receive the addresses of a packet.

use super::{Machine, StagePosition};
use crate::zone::AllowedAddresses;
use packet::{Field, Packet};

impl Machine<'_> {
    /// Returns whether port security refuses the packet, at its input port (`incoming`) or its output port.
    pub(crate) fn breaks_security(&self, place: StagePosition, packet: &Packet, incoming: bool) -> bool {
        let field = if incoming { Field::REG14 } else { Field::REG15 };
        let Some(port) = self.zone.ports.by_key(place.datapath, packet.get(field) as u32) else {
            return false;
        };
        let mac = packet.get(if incoming { Field::ETH_SRC } else { Field::ETH_DST });
        let Some(allowed) = port.security.iter().find(|allowed| allowed.mac == mac) else {
            return !port.security.is_empty();
        };
        !match (packet.get(Field::ETH_TYPE), incoming) {
            (0x0800, true) => source4(allowed, packet),
            (0x0800, false) => destination4(allowed, packet),
            (0x86dd, true) => source6(allowed, packet),
            (0x86dd, false) => destination6(allowed, packet),
            (0x0806, true) => {
                packet.get(Field::ARP_SHA) == allowed.mac
                    && (allowed.ip4.is_empty() || allowed.ip4.contains(&packet.get(Field::ARP_SPA)))
            }
            _ => true,
        }
    }
}

fn has_no_addresses(allowed: &AllowedAddresses) -> bool {
    allowed.ip4.is_empty() && allowed.ip6.is_empty()
}

/// Returns the link-local address that is derived from a MAC address (RFC 4291, appendix A).
fn link_local(mac: u128) -> u128 {
    let interface = (mac & 0xffff_ff00_0000) << 16 | 0x00ff_fe00_0000 | mac & 0xff_ffff;
    0xfe80 << 112 | interface ^ 0x0200_0000_0000_0000
}

fn source4(allowed: &AllowedAddresses, packet: &Packet) -> bool {
    let (source, destination) = (packet.get(Field::IP_SRC), packet.get(Field::IP_DST));
    let asks_for_address = packet.get(Field::IP_PROTO) == 17
        && (packet.get(Field::UDP_SRC), packet.get(Field::UDP_DST)) == (68, 67)
        && (source, destination) == (0, 0xffff_ffff);
    has_no_addresses(allowed) || allowed.ip4.contains(&source) || asks_for_address
}

fn destination4(allowed: &AllowedAddresses, packet: &Packet) -> bool {
    let destination = packet.get(Field::IP_DST);
    has_no_addresses(allowed)
        || !allowed.ip4.is_empty()
            && (allowed.ip4.contains(&destination) || destination == 0xffff_ffff || destination >> 28 == 0xe)
}

fn source6(allowed: &AllowedAddresses, packet: &Packet) -> bool {
    if has_no_addresses(allowed) {
        return true;
    }
    let own = link_local(allowed.mac);
    let source = packet.get(Field::IPV6_SRC);
    if !allowed.ip6.contains(&source) && source != own {
        return false;
    }
    let mac_fits = |field| [0, allowed.mac].contains(&packet.get(field));
    match (packet.get(Field::IP_PROTO), packet.get(Field::ICMP6_TYPE)) {
        (58, 135) => mac_fits(Field::ND_SLL),
        (58, 136) => {
            let target = packet.get(Field::ND_TARGET);
            mac_fits(Field::ND_TLL)
                && (allowed.ip6.is_empty() || allowed.ip6.contains(&target) || target == own)
        }
        _ => true,
    }
}

fn destination6(allowed: &AllowedAddresses, packet: &Packet) -> bool {
    let destination = packet.get(Field::IPV6_DST);
    has_no_addresses(allowed)
        || !allowed.ip6.is_empty()
            && (allowed.ip6.contains(&destination)
                || destination == link_local(allowed.mac)
                || destination >> 120 == 0xff)
}
