//! Prints expressions as text that parses to the same expression.

use super::{Constant, Expr, Operand, Relation};
use crate::lex::quote;
use std::fmt;

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol.name)?;
        match self.bits {
            Some((first, width)) if Some(width) != self.symbol.width() => match width {
                1 => write!(f, "[{first}]"),
                _ => write!(f, "[{first}..{}]", u16::from(first) + u16::from(width) - 1),
            },
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::AddressSet(name) => write!(f, "${name}"),
            Self::PortGroup(name) => write!(f, "@{name}"),
            Self::Template(name) => write!(f, "^{name}"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(truth) => f.write_str(if *truth { "1" } else { "0" }),
            Self::Compare { operand, relation, with, braces } => {
                compare(f, *operand, *relation, with, *braces)
            }
            Self::Resident { port, negated } => {
                write!(f, "{}is_chassis_resident({})", if *negated { "!" } else { "" }, quote(port))
            }
            Self::All(parts) => join(f, parts, " && "),
            Self::Any(parts) => join(f, parts, " || "),
        }
    }
}

fn compare(
    f: &mut fmt::Formatter<'_>,
    operand: Operand,
    relation: Relation,
    with: &[Constant],
    braces: bool,
) -> fmt::Result {
    write!(f, "{operand} {} ", relation.sign())?;
    if braces {
        f.write_str("{")?;
    }
    for (at, constant) in with.iter().enumerate() {
        write!(f, "{}{constant}", if at > 0 { ", " } else { "" })?;
    }
    f.write_str(if braces { "}" } else { "" })
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Expr], sign: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        f.write_str(if at > 0 { sign } else { "" })?;
        match part {
            Expr::All(_) | Expr::Any(_) => write!(f, "({part})")?,
            _ => write!(f, "{part}")?,
        }
    }
    Ok(())
}
