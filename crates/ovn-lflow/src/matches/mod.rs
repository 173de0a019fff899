//! Matches: expressions that are true or false of a packet.

mod parse;
mod print;

pub(crate) use parse::{Cursor, operand};
pub use parse::{MAX_DEPTH, parse};

use crate::{lex::Number, symbol::Symbol};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Relation {
    /// The relation that is true where this one is false.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
        }
    }

    /// The relation with both sides exchanged.
    #[must_use]
    pub const fn turned(self) -> Self {
        match self {
            Self::Eq => Self::Eq,
            Self::Ne => Self::Ne,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }

    /// As it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// What is compared or set: a symbol, or some of its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The symbol.
    pub symbol: &'static Symbol,
    /// The lowest bit, and how many, unless it is a port.
    pub bits: Option<(u8, u8)>,
}

impl Operand {
    /// Where its bits are in a packet; nothing of a predicate.
    #[must_use]
    pub fn place(&self) -> Option<packet::Subfield> {
        let place = self.symbol.place()?;
        match self.bits {
            Some((first, width)) => place.part(first, width),
            None => Some(place),
        }
    }
}

/// What an operand is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A number.
    Number(Number),
    /// The name of a port.
    Text(String),
    /// All members of an address set.
    AddressSet(String),
    /// All members of a port group.
    PortGroup(String),
    /// What a chassis has under this name.
    Template(String),
}

/// An expression. Negations are moved inwards while it is parsed, so that none is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// `1` or `0`.
    Constant(bool),
    /// An operand and what it is compared with. `==` is true if one of the constants is met, `!=` if none is.
    Compare {
        /// What is compared.
        operand: Operand,
        /// How.
        relation: Relation,
        /// With what.
        with: Vec<Constant>,
        /// Whether the constants stand between braces.
        braces: bool,
    },
    /// Whether a port is on this chassis.
    Resident {
        /// The port.
        port: String,
        /// Whether the opposite is asked.
        negated: bool,
    },
    /// All must be true.
    All(Vec<Expr>),
    /// One must be true.
    Any(Vec<Expr>),
}

impl Expr {
    /// The expression that is true where this one is false.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Constant(truth) => Self::Constant(!truth),
            Self::Compare { operand, relation, with, braces } => {
                Self::Compare { operand, relation: relation.negated(), with, braces }
            }
            Self::Resident { port, negated } => Self::Resident { port, negated: !negated },
            Self::All(parts) => Self::Any(parts.into_iter().map(Self::negated).collect()),
            Self::Any(parts) => Self::All(parts.into_iter().map(Self::negated).collect()),
        }
    }
}
