//! Actions: what a logical flow does with a packet that it matches.

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

/// A backend of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The logical port of the backend, if the action names it.
    pub port_name: Option<String>,
    /// True for IPv6, false for IPv4.
    pub ip6: bool,
    /// The address of the backend.
    pub address: u128,
    /// The port; `None` keeps the port of the packet.
    pub port: Option<u16>,
}

/// An action of a logical flow.
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
        /// The pipeline, if the action names it.
        pipeline: Option<Pipeline>,
        /// The table number of the stage; `None` means the next stage.
        table: Option<u32>,
    },
    /// `ct_snat(10.0.0.1, 1-65535);`
    Nat {
        /// The name of the action.
        verb: Verb,
        /// True for IPv6, and the new address; `None` undoes the translation.
        to: Option<(bool, u128)>,
        /// The first and the last port of the range.
        ports: Option<(u16, Option<u16>)>,
    },
    /// `ct_lb_mark(backends=10.244.0.5:80; skip_snat);`
    LoadBalance {
        /// The name of the action.
        verb: Verb,
        /// The backends. An empty list only undoes the translation.
        backends: Vec<Backend>,
        /// The fields of the hash.
        hash_fields: Option<String>,
        /// The option `skip_snat` or `force_snat`.
        snat: Option<String>,
    },
    /// `reg8[16..31] = select(1=100, 2=100);`
    Select {
        /// The field that receives the value.
        to: Operand,
        /// The values and their weights.
        values: Vec<(u16, u16)>,
        /// The fields of the hash.
        hash_fields: Option<String>,
    },
    /// A lookup with fields as arguments: `get_arp(outport, reg0);`, `reg9[2] = lookup_arp(inport, arp.spa, arp.sha);`
    Fields {
        /// The name of the action.
        verb: Verb,
        /// The field that receives the result.
        to: Option<Operand>,
        /// The fields in the arguments.
        fields: Vec<Operand>,
    },
    /// `arp { … };`
    Block {
        /// The name of the action.
        verb: Verb,
        /// The nested actions.
        actions: Vec<Action>,
    },
    /// Any other action: `output;`, `log(name="x");`, `reg0[15] = check_in_port_sec();`
    Call {
        /// The name of the action.
        verb: Verb,
        /// The field that receives the result.
        to: Option<Operand>,
        /// The arguments as tokens.
        arguments: Vec<Token>,
    },
}

impl Action {
    /// Returns the prerequisites of these actions. Each one is the text of a match.
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

    /// Returns the name of the action and its fields, without those of the nested actions.
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
