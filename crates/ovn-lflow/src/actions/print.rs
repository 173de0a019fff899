//! Prints actions as OVN's own programs print them. The text parses to the same actions.

use super::{Action, Backend, Shape, Verb};
use crate::lex::{Token, quote};
use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

fn address(ip6: bool, value: u128) -> String {
    if ip6 { Ipv6Addr::from_bits(value).to_string() } else { Ipv4Addr::from_bits(value as u32).to_string() }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.port_name {
            write!(f, "{}:", quote(name))?;
        }
        let address = address(self.ip6, self.address);
        match self.port {
            Some(port) if self.ip6 => write!(f, "[{address}]:{port}"),
            Some(port) => write!(f, "{address}:{port}"),
            None => f.write_str(&address),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Number(number) => write!(f, "{number}"),
            Self::AddressSet(name) => write!(f, "${name}"),
            Self::PortGroup(name) => write!(f, "@{name}"),
            Self::Template(name) => write!(f, "^{name}"),
            Self::Sign(sign) => f.write_str(sign),
        }
    }
}

/// Prints arguments with the spacing of their syntax.
fn arguments(f: &mut fmt::Formatter<'_>, verb: Verb, tokens: &[Token]) -> fmt::Result {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        match token {
            Token::Sign("=") if verb.shape() == Shape::Spaced => f.write_str(" = ")?,
            Token::Sign(sign @ ("," | ";")) => write!(f, "{sign} ")?,
            // A space separates two words in a row.
            Token::Name(_) | Token::Number(_) | Token::Text(_)
                if next.is_some_and(|next| !matches!(next, Token::Sign(_))) =>
            {
                write!(f, "{token} ")?;
            }
            _ => write!(f, "{token}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(to, value) => write!(f, "{to} = {value};"),
            Self::Move(to, from) => write!(f, "{to} = {from};"),
            Self::Exchange(a, b) => write!(f, "{a} <-> {b};"),
            Self::DecrementTtl => f.write_str("ip.ttl--;"),
            Self::Push(field) => write!(f, "push({field});"),
            Self::Pop(field) => write!(f, "pop({field});"),
            Self::Next { pipeline: Some(pipeline), table } => match table {
                Some(table) => write!(f, "next(pipeline={pipeline}, table={table});"),
                None => write!(f, "next(pipeline={pipeline});"),
            },
            Self::Next { pipeline: None, table: Some(table) } => write!(f, "next({table});"),
            Self::Next { pipeline: None, table: None } => f.write_str("next;"),
            Self::Nat { verb, to, ports } => {
                f.write_str(verb.text())?;
                if let Some((ip6, to)) = to {
                    write!(f, "({}", address(*ip6, *to))?;
                    match ports {
                        Some((first, Some(last))) => write!(f, ",{first}-{last}")?,
                        Some((first, None)) => write!(f, ",{first}")?,
                        None => {}
                    }
                    f.write_str(")")?;
                }
                f.write_str(";")
            }
            Self::LoadBalance { verb, backends, hash_fields, snat } => {
                f.write_str(verb.text())?;
                if !backends.is_empty() {
                    let backends: Vec<String> = backends.iter().map(ToString::to_string).collect();
                    write!(f, "(backends={}", backends.join(","))?;
                    if let Some(fields) = hash_fields {
                        write!(f, "; hash_fields={}", quote(fields))?;
                    }
                    if let Some(snat) = snat {
                        write!(f, "; {snat}")?;
                    }
                    f.write_str(")")?;
                }
                f.write_str(";")
            }
            Self::Select { to, values, hash_fields } => {
                let values: Vec<String> =
                    values.iter().map(|(id, weight)| format!("{id}={weight}")).collect();
                let values = values.join(", ");
                match hash_fields {
                    Some(fields) => {
                        write!(f, "{to} = select(values=({values}); hash_fields={});", quote(fields))
                    }
                    None => write!(f, "{to} = select({values});"),
                }
            }
            Self::Fields { verb, to, fields } => {
                result(f, to.as_ref())?;
                let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
                write!(f, "{}({});", verb.text(), fields.join(", "))
            }
            Self::Block { verb: Verb::CtCommit, actions } if actions.is_empty() => f.write_str("ct_commit;"),
            Self::Block { verb, actions } => {
                write!(f, "{} {{ ", verb.text())?;
                if actions.is_empty() {
                    f.write_str("drop; ")?;
                }
                for action in actions {
                    write!(f, "{action} ")?;
                }
                f.write_str("};")
            }
            Self::Call { verb, to, arguments: tokens } => {
                result(f, to.as_ref())?;
                f.write_str(verb.text())?;
                if verb.has_result() || !tokens.is_empty() {
                    f.write_str("(")?;
                    arguments(f, *verb, tokens)?;
                    f.write_str(")")?;
                }
                f.write_str(";")
            }
        }
    }
}

fn result(f: &mut fmt::Formatter<'_>, to: Option<&crate::matches::Operand>) -> fmt::Result {
    match to {
        Some(to) => write!(f, "{to} = "),
        None => Ok(()),
    }
}
