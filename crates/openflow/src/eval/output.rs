//! Output of packets: ports, patch ports, and forwarding by learnt addresses.

use super::{Outcome, run::Run};
use crate::{
    action::ToController,
    show_port,
    switch::{PortKind, VlanMode},
    text::{Mark, Node},
};
use packet::{Field, Packet};

impl Run<'_, '_> {
    /// Sends the packet to a port or to a reserved port number.
    pub(super) fn output(&mut self, port: u16) {
        let input = self.packet.get(Field::IN_PORT) as u16;
        match show_port(port).as_str() {
            "IN_PORT" => self.send(input),
            "TABLE" => self.lookup(0, None, false),
            "NORMAL" => self.normal(),
            "FLOOD" | "ALL" => {
                let others = self.bridge.ports.keys().filter(|number| **number != input);
                let others: Vec<u16> = others.copied().collect();
                self.each(&others, |run, port| run.send(port));
            }
            "CONTROLLER" => self.controller(&ToController::default()),
            "ANY" | "NONE" => {}
            _ if input == port => {
                self.say(Mark::Warning, "skipping output to input port");
            }
            _ => self.send(port),
        }
    }

    /// Sends the packet out of a port, even the port that it came from.
    fn send(&mut self, number: u16) {
        let bridge = self.bridge;
        let Some(port) = bridge.ports.get(&number) else {
            return self.say(Mark::Warning, "Nonexistent output port");
        };
        if let Some(tunnel) = self.ends_tunnel(number) {
            self.commit();
            self.emit(format!("tnl_pop({tunnel})"));
            return self.outcomes.push(Outcome::TakenOut);
        }
        match &port.kind {
            PortKind::Plain => {
                self.commit();
                self.emit(port.name.as_str());
                let (bridge, port) = (self.name.clone(), port.name.clone());
                let packet = Box::new(self.packet.clone());
                self.outcomes.push(Outcome::Port { bridge, port, packet });
            }
            PortKind::Tunnel(tunnel) => self.tunnel(&port.name, tunnel),
            PortKind::Patch(peer) => match self.switch.port(peer) {
                Some((bridge, number)) => self.cross(bridge.to_owned(), number),
                None => self.not_evaluated(&format!(
                    "patch port {}, whose other end {peer} was not collected",
                    port.name
                )),
            },
        }
    }

    /// Moves the packet to another bridge. Registers, metadata, the tunnel fields and the connection tracking state
    /// are not kept.
    pub(super) fn cross(&mut self, name: String, port: u16) {
        let Some(bridge) = self.switch.bridge(&name) else {
            return self.not_evaluated(&format!("the flows of {name}, which were not collected"));
        };
        let outer = (std::mem::replace(&mut self.name, name.clone()), self.bridge);
        self.bridge = bridge;
        let quoted = self.quoted.is_some().then(|| bridge.names.quoted());
        let quoted = std::mem::replace(&mut self.quoted, quoted);
        let node = Node::new(Mark::Bridge, format!("bridge(\"{name}\")"));
        self.with_copy(|run| {
            run.packet.set(Field::IN_PORT, port.into());
            forget(&mut run.packet);
            run.stack.clear();
            run.tracked = false;
            run.below(node, |run| {
                run.entered = true;
                run.lookup(0, None, false);
            });
        });
        (self.name, self.bridge) = outer;
        self.quoted = quoted;
    }

    /// Forwards the packet as a learning switch does: to the port of the destination address, or to all ports.
    fn normal(&mut self) {
        let input = self.packet.get(Field::IN_PORT) as u16;
        let bridge = self.bridge;
        let Some(from) = bridge.ports.get(&input) else {
            return self.say(Mark::Warning, "no input bundle, dropping");
        };
        let tag = self.packet.get(Field::VLAN_TCI);
        let tag = if tag & 0x1000 != 0 { (tag & 0xfff) as u16 } else { 0 };
        if from.vlans.mode == VlanMode::Other {
            return self.not_evaluated(&format!("NORMAL from {}, whose vlan_mode is not known", from.name));
        }
        let native = matches!(from.vlans.mode, VlanMode::NativeTagged | VlanMode::NativeUntagged);
        let refused = match from.vlans.mode {
            VlanMode::Access if tag != 0 => Some(format!(
                "dropping VLAN {tag} tagged packet received on port {} configured as VLAN {} access port",
                from.name, from.vlans.tag
            )),
            VlanMode::Access => None,
            _ if native && tag == 0 => None,
            _ if !from.vlans.include(tag) => Some(format!(
                "dropping VLAN {tag} packet received on port {} not configured for trunking VLAN {tag}",
                from.name
            )),
            _ => None,
        };
        if let Some(refused) = refused {
            return self.say(Mark::Warning, refused);
        }
        let vlan = match from.vlans.mode {
            VlanMode::Access => from.vlans.tag,
            _ if native && tag == 0 => from.vlans.tag,
            _ => tag,
        };
        let destination = self.packet.get(Field::ETH_DST);
        // Bridges do not forward these addresses (IEEE 802.1Q, table 8-1).
        if destination & !0xf == 0x0180_c200_0000 {
            return self.say(Mark::Detail, "packet has reserved destination MAC, dropping");
        }
        let found = bridge.learnt.iter().find(|it| it.mac == destination && it.vlan == vlan);
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
                self.flood(vlan, from.bond.as_deref());
            }
        }
    }

    /// Sends the packet to all ports of a VLAN except the port or the bond that it came from.
    fn flood(&mut self, vlan: u16, bond: Option<&str>) {
        let input = self.packet.get(Field::IN_PORT);
        let mut bonds = vec![bond];
        let mut wanted = Vec::new();
        for (number, port) in &self.bridge.ports {
            // A bond sends through one of its members.
            let seen = port.bond.is_some() && bonds.contains(&port.bond.as_deref());
            if u128::from(*number) != input && port.vlans.include(vlan) && !seen {
                bonds.extend(port.bond.as_deref().map(Some));
                wanted.push(*number);
            }
        }
        self.each(&wanted, |run, port| run.forward(port, vlan));
    }

    /// Sends the packet to several ports. Only the last output may be the last action on the packet.
    fn each(&mut self, ports: &[u16], mut send: impl FnMut(&mut Self, u16)) {
        let last = self.last;
        for (at, port) in ports.iter().enumerate() {
            self.last = last && at + 1 == ports.len();
            send(self, *port);
        }
        self.last = last;
    }

    /// Sends the packet with the tag that the VLANs of the port require.
    fn forward(&mut self, number: u16, vlan: u16) {
        let Some(port) = self.bridge.ports.get(&number) else {
            return self.say(Mark::Warning, "Nonexistent output port");
        };
        if let Some(bond) = &port.bond {
            return self.not_evaluated(&format!("the choice of a member of bond {bond}"));
        }
        let tag = self.packet.get(Field::VLAN_TCI);
        let without = match port.vlans.mode {
            VlanMode::Access => true,
            VlanMode::NativeUntagged => vlan == port.vlans.tag,
            _ => false,
        };
        let new = match u128::from(vlan) | (tag & 0xe000) {
            // A tag with neither a VLAN nor a priority has no effect.
            0 => 0,
            _ if without => 0,
            told => told | 0x1000,
        };
        self.packet.set(Field::VLAN_TCI, new);
        self.send(number);
        self.packet.set(Field::VLAN_TCI, tag);
    }
}

/// Clears the fields that do not cross a patch port.
fn forget(packet: &mut Packet) {
    let tunnel = [Field::TUN_ID, Field::TUN_SRC, Field::TUN_DST, Field::TUN_IPV6_SRC, Field::TUN_IPV6_DST];
    let more = [Field::TUN_FLAGS, Field::TUN_TTL, Field::TUN_TOS, Field::METADATA];
    let numbered = (0..8).filter_map(Field::tun_metadata).chain((0..4).filter_map(Field::xxreg));
    for field in tunnel.into_iter().chain(more).chain(numbered) {
        packet.set(field, 0);
    }
    packet.clear_ct();
}
