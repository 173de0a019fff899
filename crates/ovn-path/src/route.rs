//! Prints the path of a packet: one line for each datapath.

use crate::cause::Causes;
use ovn_lflow::{Leg, PacketPath, Pass, Zone};
use packet::{Field, Packet};
use std::collections::BTreeMap;

/// Returns one line for each datapath on the path, with the northbound rows that decided there. `zones` and `causes`
/// are by zone name.
pub fn route(
    path: &PacketPath,
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
) -> Vec<String> {
    let none = Causes::default();
    let of_leg = |leg: &Leg| {
        let zone = zones.get(&leg.zone);
        let causes = causes.get(&leg.zone).unwrap_or(&none);
        let chunks = leg.passes.chunk_by(|a, b| a.datapath == b.datapath);
        chunks.filter_map(|passes| Some(line(&leg.zone, zone?, passes, causes))).collect::<Vec<_>>()
    };
    path.legs.iter().flat_map(of_leg).collect()
}

fn line(name: &str, zone: &Zone, passes: &[Pass], causes: &Causes) -> String {
    let (Some(first), Some(last)) = (passes.first(), passes.last()) else { return String::new() };
    let datapath = zone.datapaths.get(first.datapath);
    let kind = if datapath.is_some_and(|it| it.is_switch) { "switch" } else { "router" };
    let called = datapath.map_or("", |it| it.name.as_str());
    let port = |packet: &Packet, field| {
        let key = u32::try_from(packet.get(field)).ok()?;
        zone.port_by_key(first.datapath, key).map(|port| port.name.as_str())
    };
    let inport = port(&first.packet, Field::REG14).map_or_else(String::new, |name| format!(" from {name}"));
    let outport = port(&last.packet, Field::REG15).map_or_else(String::new, |name| format!(" to {name}"));
    let decisions: String =
        causes.decisions(passes).into_iter().map(|decision| format!("; {decision}")).collect();
    format!("{name}: {kind} {called}{inport}{outport}: {}{decisions}", header(&first.packet))
}

/// Describes a packet by its addresses: `tcp 10.244.0.4:40000 -> 10.96.0.10:80`.
pub fn header(packet: &Packet) -> String {
    let shown = |field: Field| field.show(packet.get(field));
    let (source, target) = match (packet.is_ip4(), packet.is_ip6()) {
        (true, _) => (shown(Field::IP_SRC), shown(Field::IP_DST)),
        (_, true) => (format!("[{}]", shown(Field::IPV6_SRC)), format!("[{}]", shown(Field::IPV6_DST))),
        _ if packet.get(Field::ETH_TYPE) == 0x0806 => {
            let (of, to) = (shown(Field::ARP_SPA), shown(Field::ARP_TPA));
            return match packet.get(Field::ARP_OP) {
                1 => format!("ARP request from {of} for {to}"),
                _ => format!("ARP reply from {of} to {to}"),
            };
        }
        _ => {
            let (source, target) = (shown(Field::ETH_SRC), shown(Field::ETH_DST));
            return format!("Ethernet {source} -> {target}, type {:#06x}", packet.get(Field::ETH_TYPE));
        }
    };
    let protocol = match packet.get(Field::IP_PROTO) {
        1 => "icmp",
        6 if packet.get(Field::TCP_FLAGS) & 4 == 4 => "tcp reset",
        6 => "tcp",
        17 => "udp",
        58 => "icmp6",
        132 => "sctp",
        number => return format!("protocol {number} {source} -> {target}"),
    };
    if packet.has_ports() {
        let (from, to) = (packet.get(Field::TCP_SRC), packet.get(Field::TCP_DST));
        return format!("{protocol} {source}:{from} -> {target}:{to}");
    }
    // ICMP has a type and a code where other protocols have ports.
    let (kind, code) = (packet.get(Field::ICMP4_TYPE), packet.get(Field::ICMP4_CODE));
    format!("{protocol} type {kind} code {code} {source} -> {target}")
}

/// Returns the address that an ARP request or neighbour solicitation asks for.
pub(crate) fn neighbour_request_target(packet: &Packet) -> Option<String> {
    let is_arp = packet.get(Field::ETH_TYPE) == 0x0806 && packet.get(Field::ARP_OP) == 1;
    let is_nd = packet.is_ip6() && packet.get(Field::IP_PROTO) == 58 && packet.get(Field::ICMP6_TYPE) == 135;
    match (is_arp, is_nd) {
        (true, _) => Some(Field::ARP_TPA.show(packet.get(Field::ARP_TPA))),
        (_, true) => Some(Field::ND_TARGET.show(packet.get(Field::ND_TARGET))),
        _ => None,
    }
}

/// Describes a packet that refuses a connection. Returns `None` for other packets.
pub(crate) fn refusal(packet: &Packet) -> Option<&'static str> {
    let kind = packet.get(Field::ICMP4_TYPE);
    match packet.get(Field::IP_PROTO) {
        6 if packet.get(Field::TCP_FLAGS) & 4 == 4 => Some("a TCP reset"),
        1 if packet.is_ip4() && matches!(kind, 3 | 11) => Some("an ICMP error"),
        58 if packet.is_ip6() && matches!(kind, 1..=4) => Some("an ICMPv6 error"),
        _ => None,
    }
}
