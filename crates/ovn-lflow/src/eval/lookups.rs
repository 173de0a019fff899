//! Executes the actions that look up neighbours, MAC addresses, load balancers and connections.

use super::{Machine, StagePosition};
use crate::{
    actions::Verb,
    conntrack::Translation,
    matches::Operand,
    tree::{Line, LineKind},
    zone::Vip,
};
use packet::{CtState, Field, Packet, show_mac};

impl Machine<'_> {
    /// Executes a lookup action with field arguments.
    pub(crate) fn fields(
        &mut self,
        verb: Verb,
        to: Option<Operand>,
        fields: &[Operand],
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let value = |at: usize, packet: &Packet| {
            fields.get(at).and_then(Operand::place).map_or(0, |place| packet.bits(place))
        };
        let mut result = None;
        match verb {
            Verb::GetArp | Verb::GetNd => {
                self.get_neighbour(value(0, packet) as u32, value(1, packet), place, packet, lines);
            }
            Verb::LookupArp | Verb::LookupNd | Verb::LookupArpIp | Verb::LookupNdIp => {
                let port = self.port_name(place.datapath, value(0, packet) as u32);
                let by_mac = fields.len() == 3;
                let found = self.zone.binding(&port, value(1, packet));
                let found = found.filter(|binding| !by_mac || binding.mac == value(2, packet));
                let text = match found {
                    Some(_) if by_mac => {
                        format!("/* MAC binding to {} found. */", show_mac(packet.get(Field::ETH_DST)))
                    }
                    Some(_) => "/* MAC binding found. */".to_owned(),
                    None => "/* lookup failed - No MAC binding. */".to_owned(),
                };
                lines.push(Line::new(LineKind::Action, text));
                result = Some(u128::from(found.is_some()));
            }
            Verb::GetFdb => {
                result = Some(self.zone.fdb(place.datapath, value(0, packet)).unwrap_or(0).into());
            }
            Verb::LookupFdb => {
                let known = self.zone.fdb(place.datapath, value(1, packet));
                let found = known.is_some_and(|key| u128::from(key) == value(0, packet));
                let text = if found {
                    format!("/* MAC lookup for {} found in FDB. */", show_mac(packet.get(Field::ETH_DST)))
                } else {
                    "/* lookup mac failed in mac learning table. */".to_owned()
                };
                lines.push(Line::new(LineKind::Action, text));
                result = Some(found.into());
            }
            Verb::GetRemoteFdb => {
                lines.push(Line::new(
                    LineKind::Output,
                    "/* The remote FDB table is different per each chassis. */",
                ));
                self.note("the southbound database does not show which MAC addresses are behind remote tunnel endpoints");
            }
            // ovn-controller learns the address; this packet continues unchanged.
            _ => {}
        }
        if let (Some(result), Some(to)) = (result, to.and_then(|to| to.place())) {
            packet.set_bits(to, result);
        }
    }

    /// Sets the destination MAC address to that of the neighbour.
    fn get_neighbour(
        &mut self,
        key: u32,
        address: u128,
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let port = self.port_name(place.datapath, key);
        let found = self.zone.binding(&port, address);
        let mac = found.map_or(0, |binding| binding.mac);
        packet.set(Field::ETH_DST, mac);
        lines.push(Line::new(
            LineKind::Action,
            match found {
                Some(_) => format!("/* MAC binding to {}. */", show_mac(mac)),
                None => "/* No MAC binding. */".to_owned(),
            },
        ));
        lines.push(Line::new(LineKind::Modify, format!("eth.dst = {}", show_mac(mac))));
        if found.is_none() && !self.is_ovn_trace() {
            self.note(format!(
                "port {port} has not learnt the neighbour yet: OVN sends a request, and the packet waits for the reply"
            ));
        }
    }

    /// Executes `chk_lb_hairpin` and `chk_lb_hairpin_reply`: whether any load balancer sends the packet back to its
    /// sender, and whether the packet is the reply to such a packet.
    pub(crate) fn hairpin(
        &mut self,
        verb: Verb,
        to: Operand,
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let (source, destination) =
            if packet.is_ip6() { (Field::IPV6_SRC, Field::IPV6_DST) } else { (Field::IP_SRC, Field::IP_DST) };
        let found = if verb != Verb::ChkLbHairpin && !self.is_ovn_trace() {
            // ovn-controller adds a flow for the reply when it sees the first packet.
            let mut probe = packet.clone();
            self.conntrack.track(self.snat_zone(place), &mut probe, false);
            probe.ct_state().has(CtState::RPL)
        } else {
            let port = if verb == Verb::ChkLbHairpin { Field::CT_TP_DST } else { Field::TCP_DST };
            self.vip(packet, packet.get(port)).is_some()
                && packet.ct_state().has(CtState::DNAT)
                && packet.get(source) == packet.get(destination)
        };
        if let Some(place) = to.place() {
            packet.set_bits(place, found.into());
        }
        lines.push(Line::new(LineKind::Modify, format!("{to} = {}", u8::from(found))));
    }

    /// Executes `ct_snat_to_vip`: translates the source of a packet that its load balancer sends back to its sender.
    pub(crate) fn snat_to_vip(&mut self, place: StagePosition, packet: &mut Packet) {
        let Some(address) = self.vip(packet, packet.get(Field::CT_TP_DST)).map(|vip| vip.hairpin) else {
            return;
        };
        let new = Translation { source: true, address, port: None };
        self.conntrack.commit_packet(self.snat_zone(place), &mut packet.clone(), Some(new), (0, 0));
        packet.set(if packet.is_ip6() { Field::IPV6_SRC } else { Field::IP_SRC }, address);
    }

    /// Returns the virtual IP to which the first packet of the connection went.
    fn vip(&self, packet: &Packet, port: u128) -> Option<&Vip> {
        let field = if packet.is_ip6() { Field::CT_IPV6_DST } else { Field::CT_NW_DST };
        let address = packet.get(field);
        let mut vips = self.zone.vips.iter().filter(|vip| vip.address == address);
        // ovn-trace takes the first virtual IP with this address and compares only the port of that.
        if self.is_ovn_trace() {
            return vips.next().filter(|vip| u128::from(vip.port) == port);
        }
        vips.find(|vip| vip.port == 0 || u128::from(vip.port) == port)
    }
}
