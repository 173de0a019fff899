//! Actions: what a flow does to a packet that it matches.

mod parse;
mod print;
mod verb;

pub use parse::parse;
pub use verb::{Shape, Verb};

use crate::{
    lex::Token,
    matches::{Constant, Operand},
};
use ovn_model::lflow::Pipeline;

/// One of the places that a load balancer sends packets to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The logical port, where it is written.
    pub port_name: Option<String>,
    /// IPv6 rather than IPv4.
    pub ip6: bool,
    /// The address.
    pub address: u128,
    /// The port; nothing: the packet's own.
    pub port: Option<u16>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `reg0 = 1;`
    Set(Operand, Constant),
    /// `reg0 = ip4.src;`
    Move(Operand, Operand),
    /// `eth.src <-> eth.dst;`
    Exchange(Operand, Operand),
    /// `ip.ttl--;`
    DecrementTtl,
    /// `push(reg0);`
    Push(Operand),
    /// `pop(reg0);`
    Pop(Operand),
    /// `next;`, `next(5);`, `next(pipeline=egress, table=2);`
    Next {
        /// The other pipeline, where it is named.
        pipeline: Option<Pipeline>,
        /// The number of a stage; nothing: the next one.
        table: Option<u32>,
    },
    /// `ct_snat(10.0.0.1, 1-65535);`
    Nat {
        /// Which.
        verb: Verb,
        /// IPv6 or not, and the new address; nothing: a translation is undone.
        to: Option<(bool, u128)>,
        /// The first port and the last.
        ports: Option<(u16, Option<u16>)>,
    },
    /// `ct_lb_mark(backends=10.244.0.5:80; skip_snat);`
    LoadBalance {
        /// Which.
        verb: Verb,
        /// The backends; none: only a translation is undone.
        backends: Vec<Backend>,
        /// Which fields are hashed.
        hash_fields: Option<String>,
        /// `skip_snat` or `force_snat`.
        snat: Option<String>,
    },
    /// `reg8[16..31] = select(1=100, 2=100);`
    Select {
        /// Where the value goes.
        to: Operand,
        /// Values and weights.
        values: Vec<(u16, u16)>,
        /// Which fields are hashed.
        hash_fields: Option<String>,
    },
    /// An action on fields: `get_arp(outport, reg0);`, `reg9[2] = lookup_arp(inport, arp.spa, arp.sha);`
    Fields {
        /// Which.
        verb: Verb,
        /// Where its result goes.
        to: Option<Operand>,
        /// The fields.
        fields: Vec<Operand>,
    },
    /// `arp { … };`
    Block {
        /// Which.
        verb: Verb,
        /// The actions within.
        actions: Vec<Action>,
    },
    /// All others: `output;`, `log(name="x");`, `reg0[15] = check_in_port_sec();`
    Call {
        /// Which.
        verb: Verb,
        /// Where its result goes.
        to: Option<Operand>,
        /// The arguments, as they are written.
        arguments: Vec<Token>,
    },
}

impl Action {
    /// What must be true of a packet that these actions are done to. Each is a text that is a match.
    #[must_use]
    pub fn prerequisites(actions: &[Self]) -> Vec<&'static str> {
        let mut found = Vec::new();
        for action in actions {
            let (verb, operands) = action.uses();
            found.extend(verb.map(Verb::prerequisite));
            found.extend(operands.iter().map(|operand| operand.symbol.prerequisite));
            if *action == Self::DecrementTtl {
                found.push("ip");
            }
        }
        found.retain(|text| !text.is_empty());
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The action's name and its fields, without those of the actions within.
    fn uses(&self) -> (Option<Verb>, Vec<Operand>) {
        match self {
            Self::Set(to, _) | Self::Push(to) | Self::Pop(to) => (None, vec![*to]),
            Self::Move(a, b) | Self::Exchange(a, b) => (None, vec![*a, *b]),
            Self::DecrementTtl | Self::Next { .. } => (None, Vec::new()),
            Self::Nat { verb, .. } | Self::LoadBalance { verb, .. } | Self::Block { verb, .. } => {
                (Some(*verb), Vec::new())
            }
            Self::Select { to, .. } => (Some(Verb::Select), vec![*to]),
            Self::Fields { verb, to, fields } => (Some(*verb), to.iter().chain(fields).copied().collect()),
            Self::Call { verb, to, .. } => (Some(*verb), to.iter().copied().collect()),
        }
    }
}
