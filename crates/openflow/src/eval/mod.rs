//! What the flows of a switch do with a packet.
//!
//! The packet goes through the tables as `ofproto-dpif-xlate` of Open vSwitch takes it. Each time that it is given to
//! connection tracking and goes on in a table, another [`Pass`] begins. What is unknown becomes a branch: each state of a
//! connection that may be, each bucket of a group of which nobody knows which the hash takes, both answers to the size of
//! the packet. What is not evaluated ends its branch with its name ([`Outcome::NotEvaluated`]).

mod datapath;
mod fork;
mod output;
mod run;
mod tunnel;

use crate::{Switch, text::Node};
use packet::{CtState, Packet};
use std::collections::{BTreeSet, VecDeque};

/// A packet, and what is assumed of it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The bridge that it comes into.
    pub bridge: String,
    /// The packet. Its `dp_hash` chooses the buckets of groups; with 0 each bucket is a branch.
    pub packet: Packet,
    /// What connection tracking says, step by step.
    pub states: Vec<CtState>,
    /// What it may say at the steps after these: each is a branch. `ofproto/trace` assumes `new|trk`.
    pub assumed: Vec<CtState>,
    /// Connection tracking tells the addresses, the protocol and the ports of the connection (`ct_nw_dst`, `ct_tp_dst`), as a
    /// datapath does. `ofproto/trace` leaves these fields empty.
    pub tells_tuple: bool,
    /// The text has the names of ports rather than their numbers, as with `--names`.
    pub names: bool,
}

/// What becomes of a packet, or of a copy of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It leaves by a port of a bridge.
    Port {
        /// The bridge.
        bridge: String,
        /// The port's name.
        port: String,
        /// As what.
        packet: Box<Packet>,
    },
    /// It leaves by a tunnel.
    Tunnel {
        /// The bridge.
        bridge: String,
        /// The port's name.
        port: String,
        /// The address of the other end, where it is known.
        to: Option<std::net::IpAddr>,
        /// As what, with the fields of the tunnel.
        packet: Box<Packet>,
        /// What becomes of the outer packet on the bridge that sends it; nothing if the kernel sends it.
        outer: Option<Vec<Self>>,
    },
    /// It is the outer packet of a tunnel that ends here: the packet within goes on.
    TakenOut,
    /// It is lost: why.
    Lost(String),
    /// It goes to a controller.
    Controller,
    /// Connection tracking gets it, and perhaps keeps the connection.
    Tracked {
        /// The packet comes back, and another pass begins.
        goes_on: bool,
    },
    /// What becomes of it if it is larger than so many bytes.
    Larger {
        /// The bytes.
        size: u16,
        /// What becomes of it.
        outcomes: Vec<Self>,
    },
    /// What comes here is not evaluated: its name.
    NotEvaluated(String),
    /// A flow drops it, or a table has no flow for it.
    Dropped {
        /// The bridge.
        bridge: String,
        /// The table.
        table: u8,
        /// The flow's cookie; nothing if no flow matched.
        cookie: Option<u64>,
    },
}

/// A flow that a packet matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The bridge.
    pub bridge: String,
    /// The table.
    pub table: u8,
    /// The priority and the cookie of the flow; nothing if none matched.
    pub flow: Option<(u16, u64)>,
}

/// The way of a packet up to where it ends or is given back by connection tracking.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Why it begins in the middle; nothing for the first.
    pub resumed: Option<Resumed>,
    /// The packet at its beginning.
    pub begins: Packet,
    /// The packet at its end.
    pub ends: Packet,
    /// What happened, as `ofproto/trace` tells it.
    pub(crate) nodes: Vec<Node>,
    /// The flows that were matched, in order.
    pub steps: Vec<Step>,
    /// What became of it, in order.
    pub outcomes: Vec<Outcome>,
    /// The actions that the datapath gets.
    pub datapath: Vec<String>,
    /// The ports by which the packet came at the beginning and at the end, as the text shows them.
    pub(crate) in_ports: [String; 2],
    /// Nobody knows which bucket of a group the packet takes, and each is followed.
    pub chooses: bool,
    /// Why the switch handles such packets itself, and not its datapath.
    pub slow: BTreeSet<&'static str>,
}

/// Where a packet goes on that connection tracking gave back.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The bridge.
    pub bridge: String,
    /// The table.
    pub table: u8,
    /// The number by which the actions of the datapath name it.
    pub id: usize,
    /// What connection tracking is taken to say.
    pub state: CtState,
    /// That was assumed, and not given.
    pub is_assumed: bool,
    /// Connection tracking may have translated the packet.
    pub is_translated: bool,
    /// The packet before that, if a flow says to what it is translated.
    pub before: Option<Packet>,
}

/// The whole way of a packet.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its passes.
    pub passes: Vec<Pass>,
    /// There were more than are followed.
    pub cut: bool,
}

/// A packet that waits for connection tracking.
#[derive(Clone, Debug)]
struct Waiting {
    id: usize,
    bridge: String,
    table: u8,
    packet: Packet,
    stack: Vec<u128>,
    nat: Option<crate::action::NatRange>,
}

/// The first packet of a connection.
pub const NEW: CtState = CtState::NEW;
/// A packet of a connection that both sides know.
pub const EST: CtState = CtState::EST;

/// More passes are not followed. A real packet has about ten.
const MOST_PASSES: usize = 2048;

/// Follows a packet.
pub fn trace(switch: &Switch<'_>, question: &Question) -> Trace {
    let mut passes = Vec::new();
    let (first, waiting) =
        run::pass(switch, &question.bridge, question.packet.clone(), None, Vec::new(), 1, question.names);
    passes.push(first);
    let mut forks = waiting.len();
    let mut queue: VecDeque<Waiting> = waiting.into();
    let mut states = question.states.iter().copied();
    while let Some(next) = queue.pop_front() {
        let given = states.next();
        let choices = given.map_or_else(|| question.assumed.clone(), |state| vec![state]);
        for state in choices {
            let state = state | CtState::TRK;
            if passes.len() >= MOST_PASSES {
                return Trace { passes, cut: true };
            }
            let (packet, before) = resumed(&next, state, question.tells_tuple);
            let resumed = Resumed {
                bridge: next.bridge.clone(),
                table: next.table,
                id: next.id,
                state,
                is_assumed: given.is_none(),
                is_translated: next.nat.is_some(),
                before,
            };
            let (pass, waiting) = run::pass(
                switch,
                &next.bridge,
                packet,
                Some(resumed),
                next.stack.clone(),
                forks + 1,
                question.names,
            );
            forks += waiting.len();
            passes.push(pass);
            queue.extend(waiting);
        }
    }
    Trace { passes, cut: false }
}

/// The packet as connection tracking gives it back, and as it was before if a flow says to what it is translated. As in
/// `ofproto/trace`, a range is its first address and port.
fn resumed(waiting: &Waiting, state: CtState, tells_tuple: bool) -> (Packet, Option<Packet>) {
    use packet::Field;
    use std::net::IpAddr;
    let mut packet = waiting.packet.clone();
    packet.set_ct_state(state);
    packet.set(Field::RECIRC_ID, waiting.id as u128);
    if let Some(tuple) = packet.tuple().filter(|_| tells_tuple && !state.has(CtState::INV)) {
        tell(if state.has(CtState::RPL) { tuple.reversed() } else { tuple }, &mut packet);
    }
    let before = waiting.nat.and_then(|nat| nat.address).map(|_| packet.clone());
    if let Some(nat) = waiting.nat
        && let Some(source) = nat.source
    {
        let (four, six, port) = match source {
            true => (Field::IP_SRC, Field::IPV6_SRC, Field::TCP_SRC),
            false => (Field::IP_DST, Field::IPV6_DST, Field::TCP_DST),
        };
        match nat.address {
            Some(IpAddr::V4(address)) => packet.set(four, address.to_bits().into()),
            Some(IpAddr::V6(address)) => packet.set(six, address.to_bits()),
            None => {}
        }
        if let (Some(_), Some(to)) = (nat.address, nat.port) {
            packet.set(port, to.into());
        }
    }
    (packet, before)
}

/// Writes the addresses and ports of a connection's first packet where flows look for them.
fn tell(tuple: packet::Tuple, packet: &mut Packet) {
    use packet::Field;
    let (source, destination) = match tuple.ip6 {
        true => (Field::CT_IPV6_SRC, Field::CT_IPV6_DST),
        false => (Field::CT_NW_SRC, Field::CT_NW_DST),
    };
    packet.set(Field::CT_NW_PROTO, tuple.protocol.into());
    packet.set(source, tuple.source);
    packet.set(destination, tuple.destination);
    packet.set(Field::CT_TP_SRC, tuple.source_port.into());
    packet.set(Field::CT_TP_DST, tuple.destination_port.into());
}
