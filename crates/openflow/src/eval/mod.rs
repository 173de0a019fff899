//! The evaluation of a switch's flows for a packet.
//!
//! The packet goes through the tables as in `ofproto-dpif-xlate` of Open vSwitch. A new [`Pass`] begins each time
//! that connection tracking returns the packet and it continues in a table. Each unknown becomes a branch: each
//! possible state of a connection, each bucket of a group whose hash is unknown, and both results of a size check. A
//! part that is not evaluated ends its branch, and [`Outcome::Unknown`] names it.

mod datapath;
mod fork;
mod learn;
mod output;
mod run;
mod tunnel;

pub use learn::LearntFlow;

use crate::{Switch, text::Node};
use packet::{CtState, Packet};
use std::collections::{BTreeSet, VecDeque};

/// A packet and the assumptions about it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The bridge where the packet enters.
    pub bridge: String,
    /// The packet. Its `dp_hash` chooses the buckets of groups. If it is 0, each bucket is a branch.
    pub packet: Packet,
    /// The connection tracking state at each step.
    pub states: Vec<CtState>,
    /// The possible states at later steps, each of which is a branch. `ofproto/trace` assumes `new|trk`.
    pub assumed: Vec<CtState>,
    /// Whether connection tracking sets the addresses, the protocol and the ports of the connection (`ct_nw_dst`,
    /// `ct_tp_dst`), as a datapath does. `ofproto/trace` leaves these fields empty.
    pub tells_tuple: bool,
    /// Whether the text has the names of ports instead of their numbers, as with `--names`.
    pub names: bool,
}

/// An outcome for a packet or for a copy of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The packet leaves through a port of a bridge.
    Port {
        /// The bridge of the port.
        bridge: String,
        /// The name of the port.
        port: String,
        /// The packet as it leaves.
        packet: Box<Packet>,
    },
    /// The packet leaves through a tunnel.
    Tunnel {
        /// The bridge of the tunnel port.
        bridge: String,
        /// The name of the tunnel port.
        port: String,
        /// The remote address, if it is known.
        to: Option<std::net::IpAddr>,
        /// The packet as it leaves, with the tunnel fields.
        packet: Box<Packet>,
        /// The outcomes of the outer packet on the bridge that sends it. `None` if the kernel sends it.
        outer: Option<Vec<Self>>,
    },
    /// The packet is the outer packet of a tunnel that ends here, and the inner packet continues.
    TakenOut,
    /// The packet is lost for this reason.
    Lost(String),
    /// A flow sends the packet to a controller.
    Controller {
        /// The bridge of the table.
        bridge: String,
        /// The number of the table.
        table: u8,
        /// The cookie of the flow.
        cookie: Option<u64>,
    },
    /// The packet goes to connection tracking, which may keep the connection.
    Tracked {
        /// Whether the packet returns and another pass begins.
        goes_on: bool,
    },
    /// A packet that is larger than a limit has other outcomes.
    Larger {
        /// The limit in bytes.
        size: u16,
        /// The outcomes of a larger packet.
        outcomes: Vec<Self>,
    },
    /// The rest of the path is unknown for this reason, a whole clause.
    Unknown(String),
    /// A flow drops the packet or does nothing more with it, or a table has no flow for it. If the packet goes on
    /// elsewhere, this is the end of a detour only.
    Dropped {
        /// The bridge of the table.
        bridge: String,
        /// The number of the table.
        table: u8,
        /// The cookie of the flow. `None` if no flow matched.
        cookie: Option<u64>,
    },
}

/// A lookup of a packet in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The bridge of the table.
    pub bridge: String,
    /// The number of the table.
    pub table: u8,
    /// The priority and the cookie of the flow. `None` if no flow matched.
    pub flow: Option<(u16, u64)>,
}

/// The path of a packet until it ends or until connection tracking returns the packet.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The reason why the pass begins in the middle of the pipeline. `None` for the first pass.
    pub resumed: Option<Resumed>,
    /// The packet at the beginning of the pass.
    pub begins: Packet,
    /// The packet at the end of the pass.
    pub ends: Packet,
    /// The events of the pass, as `ofproto/trace` prints them.
    pub(crate) nodes: Vec<Node>,
    /// The lookups in order.
    pub steps: Vec<Step>,
    /// The outcomes in order.
    pub outcomes: Vec<Outcome>,
    /// The actions of the datapath.
    pub datapath: Vec<String>,
    /// The input ports at the beginning and at the end, as the text shows them.
    pub(crate) in_ports: [String; 2],
    /// Whether each bucket of a group is followed because the chosen bucket is unknown.
    pub chooses: bool,
    /// The flows that the switch learns from the packet. The trace does not add them.
    pub learnt: Vec<LearntFlow>,
    /// The reasons why the switch handles such packets itself instead of the datapath.
    pub slow: BTreeSet<&'static str>,
}

/// The place where a packet continues after connection tracking.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The bridge of the table.
    pub bridge: String,
    /// The number of the table.
    pub table: u8,
    /// The number of the recirculation in the datapath actions.
    pub id: usize,
    /// The connection tracking state of the packet.
    pub state: CtState,
    /// Whether the state is assumed and was not given.
    pub is_assumed: bool,
    /// Whether connection tracking may have translated the packet.
    pub is_translated: bool,
    /// The packet before the translation, if a flow sets the new address.
    pub before: Option<Packet>,
}

/// The complete path of a packet.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The passes in order.
    pub passes: Vec<Pass>,
    /// Whether there were more passes than the limit.
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

/// The state of the first packet of a connection.
pub const NEW: CtState = CtState::NEW;
/// The state of a packet of a connection that both sides know.
pub const EST: CtState = CtState::EST;

/// The largest number of passes that a trace follows. A real packet has about ten.
const MOST_PASSES: usize = 2048;

/// Follows a packet through the switch.
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

/// Returns the packet as connection tracking returns it, and the packet before the translation if a flow sets the new
/// address. A range stands for its first address and port, as in `ofproto/trace`.
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

/// Writes the addresses and ports of a connection's first packet into the fields that flows test.
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
