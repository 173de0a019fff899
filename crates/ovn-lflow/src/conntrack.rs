//! Connection tracking: the known connections, and the state that they give to a packet.

use packet::{CtState, Field, Packet, Tuple};
use std::collections::BTreeMap;

/// A conntrack zone. A connection is known only in its own zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CtZone {
    /// The zone of a switch port, by the keys of the datapath and the port.
    Port(u32, u32),
    /// The zone of a router for DNAT, by the key of the router.
    Dnat(u32),
    /// The zone of a router or switch for SNAT, by the key of its datapath.
    Snat(u32),
}

/// A committed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The tuple of the original direction, before translation.
    pub original: Tuple,
    /// The tuple of replies, as they arrive.
    pub reply: Tuple,
    /// The value of `ct_mark`.
    pub mark: u32,
    /// The value of `ct_label`.
    pub label: u128,
}

/// The known connections of all conntrack zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conntrack {
    known: BTreeMap<CtZone, Vec<Connection>>,
}

/// The NAT that an action requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) source: bool,
    pub(crate) address: u128,
    pub(crate) port: Option<u16>,
}

impl Conntrack {
    /// Adds a connection, or replaces the one with the same original tuple.
    pub fn commit(&mut self, zone: CtZone, connection: Connection) {
        let connections = self.known.entry(zone).or_default();
        match connections.iter_mut().find(|known| known.original == connection.original) {
            Some(known) => *known = connection,
            None => connections.push(connection),
        }
    }

    /// Returns all connections of all zones.
    pub fn iter(&self) -> impl Iterator<Item = (CtZone, &Connection)> {
        self.known
            .iter()
            .flat_map(|(zone, connections)| connections.iter().map(|connection| (*zone, connection)))
    }

    fn find(&self, zone: CtZone, tuple: Tuple) -> Option<(&Connection, bool)> {
        let connections = self.known.get(&zone)?;
        let original = connections.iter().find(|known| known.original == tuple).map(|known| (known, false));
        original.or_else(|| connections.iter().find(|known| known.reply == tuple).map(|known| (known, true)))
    }

    /// Sets the conntrack fields of a packet in a zone. With `translate`, also applies the NAT of its connection.
    pub(crate) fn track(&self, zone: CtZone, packet: &mut Packet, translate: bool) {
        packet.clear_ct();
        let Some(tuple) = packet.tuple() else {
            packet.set_ct_state(CtState::TRK | CtState::INV);
            return;
        };
        let Some((connection, is_reply)) = self.find(zone, tuple) else {
            packet.set_ct_state(CtState::TRK | CtState::NEW);
            set_original_tuple(packet, tuple);
            return;
        };
        let mut state = CtState::TRK | CtState::EST;
        let target = if is_reply {
            state = state | CtState::RPL;
            connection.original.reversed()
        } else {
            connection.reply.reversed()
        };
        if translate {
            if (target.source, target.source_port) != (tuple.source, tuple.source_port) {
                state = state | CtState::SNAT;
            }
            if (target.destination, target.destination_port) != (tuple.destination, tuple.destination_port) {
                state = state | CtState::DNAT;
            }
            target.write(packet);
        }
        packet.set_ct_state(state);
        packet.set(Field::CT_MARK, connection.mark.into());
        packet.set(Field::CT_LABEL, connection.label);
        set_original_tuple(packet, connection.original);
    }

    /// Commits the connection of a packet in a zone, with the NAT for its first packet.
    pub(crate) fn commit_packet(
        &mut self,
        zone: CtZone,
        packet: &mut Packet,
        translation: Option<Translation>,
        (mark, label): (u32, u128),
    ) {
        let Some(original) = packet.tuple() else { return };
        // A known connection keeps its NAT; only its mark and label change.
        if let Some((known, _)) = self.find(zone, original) {
            let known = Connection { mark, label, ..*known };
            self.commit(zone, known);
            return;
        }
        let mut after = original;
        if let Some(Translation { source, address, port }) = translation {
            let (to, to_port) = if source {
                (&mut after.source, &mut after.source_port)
            } else {
                (&mut after.destination, &mut after.destination_port)
            };
            *to = address;
            *to_port = port.unwrap_or(*to_port);
        }
        self.commit(zone, Connection { original, reply: after.reversed(), mark, label });
    }
}

/// Stores the original tuple of the connection in the fields that flows can match.
fn set_original_tuple(packet: &mut Packet, original: Tuple) {
    let (source, destination) = if original.ip6 {
        (Field::CT_IPV6_SRC, Field::CT_IPV6_DST)
    } else {
        (Field::CT_NW_SRC, Field::CT_NW_DST)
    };
    packet.set(Field::CT_NW_PROTO, original.protocol.into());
    packet.set(source, original.source);
    packet.set(destination, original.destination);
    packet.set(Field::CT_TP_SRC, original.source_port.into());
    packet.set(Field::CT_TP_DST, original.destination_port.into());
}
