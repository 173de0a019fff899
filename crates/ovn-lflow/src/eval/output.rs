//! Executes `output`: from ingress to egress, from a port to its peer, or out of the zone.

use super::{End, Machine, StagePosition};
use crate::{
    tree::{Line, LineKind},
    zone::Port,
};
use ovn_model::lflow::Pipeline;
use packet::{Field, Packet};

/// The bit of `flags.loopback`.
const LOOPBACK: u128 = 1;
const OMITTED: &str = "/* omitting output because inport == outport && !flags.loopback */";

impl Machine<'_> {
    /// Sends the packet to its output port, or to all ports of a multicast group.
    pub(crate) fn output(&mut self, place: StagePosition, packet: &mut Packet, lines: &mut Vec<Line>) {
        let key = packet.get(Field::REG15) as u32;
        if key == 0 {
            lines.push(Line::new(LineKind::Error, "*** output to null logical port"));
            self.dropped(place, Some("the output port is not set"));
            return;
        }
        let zone = self.zone;
        let port = zone.ports.by_key(place.datapath, key);
        let group = zone.ports.groups.get(&(place.datapath, key));
        if port.is_none() && group.is_none() {
            lines.push(Line::new(LineKind::Error, format!("*** unknown port or multicast group {key}")));
        }
        if place.pipeline == Pipeline::Egress {
            let name = port.map(|port| port.name.as_str()).or(group.map(|(name, _)| name.as_str()));
            self.leave(place, port, name.unwrap_or("(unnamed)"), packet, lines);
        } else if let Some((name, members)) = group.filter(|_| port.is_none()) {
            self.multicast(place, name, members, packet, lines);
        } else {
            self.unicast(place, port, packet, lines);
        }
    }

    /// Sends the packet out of a datapath: into the datapath of the peer port, or out of the zone.
    fn leave(
        &mut self,
        place: StagePosition,
        port: Option<&Port>,
        name: &str,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        let kind = port.map_or("", |port| port.kind.as_str());
        lines.push(Line::new(LineKind::Output, format!("/* output to \"{name}\", type \"{kind}\" */")));
        let peer = port.and_then(|port| port.peer.as_deref()).and_then(|peer| self.zone.ports.by_name(peer));
        let Some(peer) = peer else {
            lines.push(Line::new(LineKind::Modify, format!("output(\"{name}\")")));
            let (port, kind, packet) = (name.to_owned(), kind.to_owned(), Box::new(packet.clone()));
            self.ends.push(End::Delivered { pass: place.pass, datapath: place.datapath, port, kind, packet });
            return;
        };
        let title =
            format!("ingress(dp=\"{}\", inport=\"{}\")", self.datapath_name(peer.datapath), peer.name);
        let mut line = Line::new(LineKind::Pipeline, title);
        let mut packet = packet.clone();
        if !self.is_ovn_trace() {
            // A patch port clears the connection state, the flags and the registers (controller/physical.c).
            packet.clear_ct();
            clear_registers(&mut packet, 11);
        }
        packet.set(Field::REG14, peer.key.into());
        packet.set(Field::REG15, 0);
        let place = StagePosition {
            datapath: peer.datapath,
            pipeline: Pipeline::Ingress,
            table: 0,
            flow: None,
            ..place
        };
        self.stage(place, &mut packet, &mut line.within);
        lines.push(line);
    }

    /// Returns the packet as it enters the egress pipeline. The switch keeps the flags there; ovn-trace clears them.
    fn at_egress(&self, packet: &Packet) -> Packet {
        let mut packet = packet.clone();
        clear_registers(&mut packet, if self.is_ovn_trace() { 14 } else { 10 });
        packet
    }

    fn multicast(
        &mut self,
        place: StagePosition,
        name: &str,
        members: &[String],
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let dp = self.datapath_name(place.datapath).to_owned();
        let mut all = Line::new(LineKind::Pipeline, format!("multicast(dp=\"{dp}\", mcgroup=\"{name}\")"));
        let in_key = packet.get(Field::REG14) as u32;
        let inport = self.port_name(place.datapath, in_key);
        let loopback = packet.get(Field::REG10) & LOOPBACK == LOOPBACK;
        let mut shared = self.at_egress(packet);
        for port in members.iter().filter_map(|name| self.zone.ports.by_name(name)) {
            let to = self.enters(Some(port));
            let title = format!("{to}(dp=\"{dp}\", inport=\"{inport}\", outport=\"{}\")", port.name);
            let mut line = Line::new(LineKind::Pipeline, title);
            if port.key != in_key || loopback {
                line.indent = true;
                // ovn-trace reuses the packet that the previous port modified.
                let mut own = shared.clone();
                let copy = if self.is_ovn_trace() { &mut shared } else { &mut own };
                copy.set(Field::REG15, port.key.into());
                self.egress(place, Some(port), copy, &mut line.within);
            } else {
                line.within.push(Line::new(LineKind::Output, OMITTED));
            }
            all.within.push(line);
        }
        lines.push(all);
    }

    fn unicast(&mut self, place: StagePosition, port: Option<&Port>, packet: &Packet, lines: &mut Vec<Line>) {
        let mut copy = self.at_egress(packet);
        let mut port = port;
        if let Some(redirect) = port.filter(|port| port.kind == "chassisredirect") {
            let behind = redirect.distributed.as_deref().and_then(|name| self.zone.ports.by_name(name));
            let Some(behind) = behind.filter(|behind| behind.datapath == place.datapath) else {
                let text = format!(
                    "*** output to type \"chassisredirect\" port \"{}\" with no or invalid distributed port",
                    redirect.name
                );
                lines.push(Line::new(LineKind::Error, text));
                self.dropped(place, Some("the distributed port behind the output port does not exist"));
                return;
            };
            let text = format!(
                "/* Replacing type \"chassisredirect\" outport \"{}\" with distributed port \"{}\". */",
                redirect.name, behind.name
            );
            lines.push(Line::new(LineKind::Output, text));
            copy.set(Field::REG15, behind.key.into());
            port = Some(behind);
        }
        let in_key = packet.get(Field::REG14) as u32;
        let loopback = packet.get(Field::REG10) & LOOPBACK == LOOPBACK;
        if !(loopback || port.is_some_and(|port| port.key != in_key)) {
            lines.push(Line::new(LineKind::Output, OMITTED));
            self.dropped(
                place,
                Some("the output port is the input port of the packet, and flags.loopback is not set"),
            );
            return;
        }
        let title = format!(
            "{}(dp=\"{}\", inport=\"{}\", outport=\"{}\")",
            self.enters(port),
            self.datapath_name(place.datapath),
            self.port_name(place.datapath, in_key),
            port.map_or("(unnamed)", |port| port.name.as_str()),
        );
        let mut line = Line::new(LineKind::Pipeline, title);
        self.egress(place, port, &mut copy, &mut line.within);
        lines.push(line);
    }

    /// Returns what a packet enters after the ingress pipeline. The switch sends a packet for a port of another zone
    /// through the tunnel, and the other zone executes the egress pipeline (`controller/physical.c`). ovn-trace
    /// executes it here.
    fn enters(&self, port: Option<&Port>) -> &'static str {
        let is_remote = port.is_some_and(|port| port.kind == "remote");
        if is_remote && !self.is_ovn_trace() { "tunnel" } else { "egress" }
    }

    /// Continues with the egress pipeline of a port, or with the tunnel to its zone.
    fn egress(
        &mut self,
        place: StagePosition,
        port: Option<&Port>,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let place = StagePosition { pipeline: Pipeline::Egress, table: 0, ..place };
        match port.filter(|port| self.enters(Some(port)) == "tunnel") {
            Some(port) => {
                let place = StagePosition { pass: self.pass(place, packet), ..place };
                self.leave(place, Some(port), &port.name, packet, lines);
            }
            None => self.stage(place, packet, lines),
        }
    }
}

/// Clears the first `count` registers.
fn clear_registers(packet: &mut Packet, count: u8) {
    for field in (0..count).filter_map(Field::reg) {
        packet.set(field, 0);
    }
}
