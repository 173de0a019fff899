//! Matches: expressions that are true or false for a packet.

mod parse;
mod print;

pub(crate) use parse::{Cursor, operand};
pub use parse::{MAX_DEPTH, parse};

use crate::{lex::Number, symbol::Symbol};

/// A comparison operator.
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
    /// Returns the opposite relation, which is true where this one is false.
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

    /// Returns the relation for exchanged sides: `<` becomes `>`.
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

    /// Returns the sign of the relation.
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

/// The operand of a comparison or an assignment: a symbol, or some of its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The symbol.
    pub symbol: &'static Symbol,
    /// The lowest bit and the number of bits; `None` for a port.
    pub bits: Option<(u8, u8)>,
}

impl Operand {
    /// Returns the bits of the operand in a packet, or `None` for a predicate.
    #[must_use]
    pub fn place(&self) -> Option<packet::Subfield> {
        let place = self.symbol.place()?;
        match self.bits {
            Some((first, width)) => place.part(first, width),
            None => Some(place),
        }
    }
}

/// A constant that an operand is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A number.
    Number(Number),
    /// The name of a port.
    Text(String),
    /// The name of an address set, which stands for all its members.
    AddressSet(String),
    /// The name of a port group, which stands for all its members.
    PortGroup(String),
    /// The name of a template variable of the chassis.
    Template(String),
}

/// An expression of a match. The parser moves negations into the comparisons, so that an expression contains no
/// negation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// The constant `1` (true) or `0` (false).
    Constant(bool),
    /// A comparison with constants. `==` is true if one of the constants matches, `!=` if none of them matches.
    Compare {
        /// The operand.
        operand: Operand,
        /// The relation.
        relation: Relation,
        /// The constants.
        with: Vec<Constant>,
        /// True if the constants are in braces.
        braces: bool,
    },
    /// A test whether a port is on this chassis.
    Resident {
        /// The name of the port.
        port: String,
        /// True if the test is negated.
        negated: bool,
    },
    /// True if all parts are true.
    All(Vec<Expr>),
    /// True if at least one part is true.
    Any(Vec<Expr>),
}

impl Expr {
    /// Returns the opposite expression, which is true where this one is false.
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
