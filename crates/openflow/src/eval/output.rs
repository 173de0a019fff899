//! Where a packet leaves a bridge: ports, patch ports, tunnels, and what the bridge has learnt.

use super::{Outcome, run::Run};
use crate::{
    show_port,
    switch::{LOCAL, PortKind},
    text::{Mark, Node},
};
use packet::{Field, Packet};

impl Run<'_, '_> {
    /// Sends the packet to a port, or to one of the reserved ones.
    pub(super) fn output(&mut self, port: u16) {
        match show_port(port).as_str() {
            "IN_PORT" => self.send(self.packet.get(Field::IN_PORT) as u16),
            "TABLE" => self.lookup(0, None, false),
            "NORMAL" => self.normal(),
            "FLOOD" | "ALL" => self.flood(0),
            "CONTROLLER" => self.outcomes.push(Outcome::Controller),
            "ANY" | "NONE" => {}
            _ if self.packet.get(Field::IN_PORT) == u128::from(port) => {
                self.say(Mark::Detail, "skipping output to input port");
            }
            _ => self.send(port),
        }
    }

    /// Sends the packet out of a port, even the one that it came by.
    fn send(&mut self, number: u16) {
        let bridge = self.bridge;
        let Some(port) = bridge.ports.get(&number) else {
            return self.say(Mark::Warning, "Nonexistent output port");
        };
        let packet = || Box::new(self.packet.clone());
        let (name, of) = (port.name.clone(), self.name.clone());
        match &port.kind {
            PortKind::Plain => self.outcomes.push(Outcome::Port { bridge: of, port: name, packet: packet() }),
            PortKind::Tunnel(_, to) => {
                let by_flow = self.packet.get(Field::TUN_DST);
                let to = to
                    .or_else(|| (by_flow != 0).then(|| std::net::Ipv4Addr::from_bits(by_flow as u32).into()));
                self.outcomes.push(Outcome::Tunnel { bridge: of, port: name, to, packet: packet() });
                let end = to.map_or_else(|| "an address that is not known".into(), |to| to.to_string());
                self.say(
                    Mark::Detail,
                    format!("output to a tunnel to {end}; the outer packet is not followed"),
                );
            }
            PortKind::Patch(peer) => match self.switch.port(peer) {
                Some((bridge, number)) => self.cross(bridge.to_owned(), number),
                None => self
                    .not_evaluated(&format!("patch port {name}, whose other end {peer} was not collected")),
            },
        }
    }

    /// Takes the packet to another bridge. Registers, metadata, tunnel and what connection tracking said stay behind.
    fn cross(&mut self, name: String, port: u16) {
        let Some(bridge) = self.switch.bridge(&name) else { return };
        let outer = (std::mem::replace(&mut self.name, name.clone()), self.bridge);
        self.bridge = bridge;
        let node = Node::new(Mark::Bridge, format!("bridge(\"{name}\")"));
        self.with_copy(|run| {
            run.packet.set(Field::IN_PORT, port.into());
            forget(&mut run.packet);
            run.stack.clear();
            run.tracked = false;
            run.below(node, |run| run.lookup(0, None, false));
        });
        (self.name, self.bridge) = outer;
    }

    /// Forwards as a switch that learns: to the port behind which the destination was seen, else to all.
    fn normal(&mut self) {
        let input = self.packet.get(Field::IN_PORT) as u16;
        let Some(from) = self.bridge.ports.get(&input) else {
            return self.say(Mark::Warning, "no input bundle, dropping");
        };
        let tagged = self.packet.get(Field::VLAN_TCI);
        let vlan = match from.vlan {
            Some(vlan) => vlan,
            None if tagged & 0x1000 != 0 => (tagged & 0xfff) as u16,
            None => 0,
        };
        let destination = self.packet.get(Field::ETH_DST);
        let found = self.bridge.learnt.iter().find(|it| it.mac == destination && it.vlan == vlan);
        match found.map(|it| it.port) {
            Some(port) if port == input => {
                self.say(Mark::Detail, "learned port is input port, dropping");
            }
            Some(port) => {
                self.say(Mark::Detail, "forwarding to learned port");
                self.forward(port, vlan);
            }
            None => {
                self.say(Mark::Detail, "no learned MAC for destination, flooding");
                self.flood(vlan);
            }
        }
    }

    fn flood(&mut self, vlan: u16) {
        let input = self.packet.get(Field::IN_PORT);
        let ports = self.bridge.ports.iter();
        let wanted = ports.filter(|(number, port)| {
            u128::from(**number) != input && port.vlan.is_none_or(|access| access == vlan)
        });
        let wanted: Vec<u16> = wanted.map(|(number, _)| *number).collect();
        for port in wanted {
            self.forward(port, vlan);
        }
    }

    /// Sends with the tag that the port's VLAN asks for.
    fn forward(&mut self, port: u16, vlan: u16) {
        let access = self.bridge.ports.get(&port).and_then(|port| port.vlan);
        let tag = self.packet.get(Field::VLAN_TCI);
        let new = match access {
            Some(_) => 0,
            None if vlan == 0 => tag,
            None => u128::from(vlan) | 0x1000,
        };
        self.packet.set(Field::VLAN_TCI, new);
        self.send(port);
        self.packet.set(Field::VLAN_TCI, tag);
        debug_assert!(port != LOCAL || self.bridge.ports.contains_key(&LOCAL));
    }
}

/// What does not go over a patch port.
fn forget(packet: &mut Packet) {
    let tunnel = [Field::TUN_ID, Field::TUN_SRC, Field::TUN_DST, Field::TUN_IPV6_SRC, Field::TUN_IPV6_DST];
    let more = [Field::TUN_FLAGS, Field::TUN_TTL, Field::TUN_TOS, Field::METADATA];
    let numbered = (0..8).filter_map(Field::tun_metadata).chain((0..4).filter_map(Field::xxreg));
    for field in tunnel.into_iter().chain(more).chain(numbered) {
        packet.set(field, 0);
    }
    packet.clear_ct();
}
