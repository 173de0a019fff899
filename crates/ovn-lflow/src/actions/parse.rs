//! Parses actions in the syntax of ovn-sb(5), table `Logical_Flow`, column `actions`.

use super::{Action, Backend, Shape, Verb};
use crate::{
    lex::{Format, Number, SyntaxError, Token, tokens},
    matches::{Constant, Cursor, Operand, operand},
};
use ovn_model::lflow::Pipeline;

/// Parses the actions of a flow. An empty list drops packets.
///
/// # Errors
/// Returns an error if OVN would reject the text, for example because of an unknown action. Such a flow never comes
/// into force.
pub fn parse(text: &str) -> Result<Vec<Action>, SyntaxError> {
    let tokens = tokens(text)?;
    let mut cursor = Cursor::new(&tokens, text.len());
    let actions = actions(&mut cursor, false)?;
    cursor.end()?;
    Ok(actions)
}

fn actions(cursor: &mut Cursor<'_>, nested: bool) -> Result<Vec<Action>, SyntaxError> {
    let mut found = Vec::new();
    if cursor.take_name("drop") {
        cursor.need(";")?;
        return Ok(found);
    }
    while cursor.peek().is_some() && !(nested && cursor.is("}")) {
        found.push(action(cursor)?);
        cursor.need(";")?;
    }
    Ok(found)
}

fn action(cursor: &mut Cursor<'_>) -> Result<Action, SyntaxError> {
    let Some(Token::Name(name)) = cursor.peek() else { return Err(cursor.error("an action is missing")) };
    match (name.as_str(), cursor.peek_at(1)) {
        ("ip.ttl", Some(Token::Sign("--"))) => {
            cursor.advance();
            cursor.advance();
            Ok(Action::DecrementTtl)
        }
        (_, Some(Token::Sign("=" | "<->" | "["))) => assignment(cursor),
        ("next", _) => {
            cursor.advance();
            next(cursor)
        }
        ("push" | "pop", _) => {
            cursor.advance();
            cursor.need("(")?;
            let field = operand(cursor)?;
            cursor.need(")")?;
            Ok(if name == "push" { Action::Push(field) } else { Action::Pop(field) })
        }
        _ => {
            let verb = Verb::named(name).filter(|verb| !verb.has_result());
            let verb = verb.ok_or_else(|| cursor.error(format!("unknown action {name:?}")))?;
            cursor.advance();
            named(cursor, verb, None)
        }
    }
}

fn assignment(cursor: &mut Cursor<'_>) -> Result<Action, SyntaxError> {
    let to = operand(cursor)?;
    if to.symbol.place().is_none() && !matches!(to.symbol.meaning, crate::symbol::Meaning::Outside(_)) {
        return Err(cursor.error(format!("{to} is a predicate and cannot be set")));
    }
    if cursor.take("<->") {
        let other = operand(cursor)?;
        return same_width(cursor, to, other).map(|()| Action::Exchange(to, other));
    }
    cursor.need("=")?;
    let Some(Token::Name(name)) = cursor.peek() else { return set(cursor, to) };
    if cursor.peek_at(1) != Some(&Token::Sign("(")) {
        let from = operand(cursor)?;
        return same_width(cursor, to, from).map(|()| Action::Move(to, from));
    }
    let verb = Verb::named(name).filter(|verb| verb.has_result());
    let verb = verb.ok_or_else(|| cursor.error(format!("unknown function {name:?}")))?;
    cursor.advance();
    named(cursor, verb, Some(to))
}

fn same_width(cursor: &Cursor<'_>, a: Operand, b: Operand) -> Result<(), SyntaxError> {
    let width = |operand: Operand| operand.bits.map(|(_, width)| width);
    if width(a) == width(b) {
        Ok(())
    } else {
        Err(cursor.error(format!("{a} and {b} have different widths")))
    }
}

fn set(cursor: &mut Cursor<'_>, to: Operand) -> Result<Action, SyntaxError> {
    let (value, fits) = match (cursor.peek(), to.bits) {
        (Some(Token::Number(number)), Some((_, width))) => {
            (Constant::Number(*number), number.width() <= width)
        }
        (Some(Token::Text(text)), None) => (Constant::Text(text.clone()), true),
        (Some(Token::Template(name)), _) => (Constant::Template(name.clone()), true),
        _ => return Err(cursor.error(format!("the value for {to} is missing"))),
    };
    if !fits {
        return Err(cursor.error(format!("{value} does not fit into {to}")));
    }
    cursor.advance();
    Ok(Action::Set(to, value))
}

fn next(cursor: &mut Cursor<'_>) -> Result<Action, SyntaxError> {
    let (mut pipeline, mut table) = (None, None);
    if cursor.take("(") {
        if matches!(cursor.peek(), Some(Token::Number(_))) {
            table = Some(cursor.integer()?);
        } else {
            loop {
                if cursor.take_name("pipeline") {
                    cursor.need("=")?;
                    pipeline = Some(if cursor.take_name("ingress") {
                        Pipeline::Ingress
                    } else if cursor.take_name("egress") {
                        Pipeline::Egress
                    } else {
                        return Err(cursor.error("ingress or egress is missing"));
                    });
                } else if cursor.take_name("table") {
                    cursor.need("=")?;
                    table = Some(cursor.integer()?);
                } else {
                    return Err(cursor.error("pipeline or table is missing"));
                }
                if !cursor.take(",") {
                    break;
                }
            }
        }
        cursor.need(")")?;
    }
    Ok(Action::Next { pipeline, table })
}

/// Parses the arguments of a named action.
fn named(cursor: &mut Cursor<'_>, verb: Verb, to: Option<Operand>) -> Result<Action, SyntaxError> {
    match (verb.shape(), to) {
        (Shape::Block, _) if cursor.take("{") => {
            let actions = cursor.nested(|cursor| actions(cursor, true))?;
            cursor.need("}")?;
            Ok(Action::Block { verb, actions })
        }
        // Only this action may omit its block. OVN before 25.03 gives it arguments instead.
        (Shape::Block, _) if verb == Verb::CtCommit && !cursor.is("(") => {
            Ok(Action::Block { verb, actions: Vec::new() })
        }
        (Shape::Block, _) if verb != Verb::CtCommit => {
            Err(cursor.error(format!("{} needs braces", verb.text())))
        }
        (Shape::Nat, _) => nat(cursor, verb),
        (Shape::Backends, _) => load_balance(cursor, verb),
        (Shape::Select, Some(to)) => select(cursor, to),
        (Shape::Fields, _) => {
            let mut fields = Vec::new();
            cursor.need("(")?;
            while !cursor.take(")") {
                fields.push(operand(cursor)?);
                if !cursor.is(")") {
                    cursor.need(",")?;
                }
            }
            let wanted = match verb {
                Verb::GetFdb | Verb::GetRemoteFdb => 1,
                Verb::PutArp | Verb::PutNd | Verb::LookupArp | Verb::LookupNd => 3,
                _ => 2,
            };
            if fields.len() != wanted {
                return Err(cursor.error(format!("{} takes {wanted} fields", verb.text())));
            }
            Ok(Action::Fields { verb, to, fields })
        }
        _ => Ok(Action::Call { verb, to, arguments: arguments(cursor)? }),
    }
}

/// Parses optional arguments in parentheses.
fn arguments(cursor: &mut Cursor<'_>) -> Result<Vec<Token>, SyntaxError> {
    let mut found = Vec::new();
    if !cursor.take("(") {
        return Ok(found);
    }
    let mut open = 1;
    loop {
        match cursor.advance() {
            Some(Token::Sign(")")) if open == 1 => return Ok(found),
            Some(token) => {
                open += usize::from(*token == Token::Sign("("));
                open -= usize::from(*token == Token::Sign(")"));
                found.push(token.clone());
            }
            None => return Err(cursor.error("the closing parenthesis of the arguments is missing")),
        }
    }
}

fn port(cursor: &mut Cursor<'_>) -> Result<u16, SyntaxError> {
    let number = cursor.integer()?;
    u16::try_from(number).map_err(|_| cursor.error(format!("{number} does not fit into 16 bits")))
}

/// Parses an IP address. Returns true for IPv6, and the address.
fn address(cursor: &mut Cursor<'_>) -> Result<(bool, u128), SyntaxError> {
    let found = match cursor.peek() {
        Some(Token::Number(Number { value, mask: None, format: Format::Ip4 })) => (false, *value),
        Some(Token::Number(Number { value, mask: None, format: Format::Ip6 })) => (true, *value),
        _ => return Err(cursor.error("an IP address is missing")),
    };
    cursor.advance();
    Ok(found)
}

fn nat(cursor: &mut Cursor<'_>, verb: Verb) -> Result<Action, SyntaxError> {
    let (mut to, mut ports) = (None, None);
    if cursor.take("(") {
        to = Some(address(cursor)?);
        if cursor.take(",") {
            let first = port(cursor)?;
            ports = Some((first, if cursor.take("-") { Some(port(cursor)?) } else { None }));
        }
        cursor.need(")")?;
    }
    Ok(Action::Nat { verb, to, ports })
}

fn load_balance(cursor: &mut Cursor<'_>, verb: Verb) -> Result<Action, SyntaxError> {
    let (mut backends, mut hash_fields, mut snat) = (Vec::new(), None, None);
    if cursor.take("(") && !cursor.take(")") {
        if !cursor.take_name("backends") {
            return Err(cursor.error("backends are missing"));
        }
        cursor.need("=")?;
        while !cursor.is(";") && !cursor.is(")") {
            backends.push(backend(cursor)?);
            cursor.take(",");
        }
        while cursor.take(";") {
            if cursor.take_name("hash_fields") {
                cursor.need("=")?;
                hash_fields = Some(text(cursor)?);
            } else {
                let snat_names = ["skip_snat", "force_snat"];
                snat = snat_names.iter().find(|name| cursor.take_name(name)).map(|name| (*name).to_owned());
                if snat.is_none() {
                    return Err(cursor.error("hash_fields, skip_snat or force_snat is missing"));
                }
            }
        }
        cursor.need(")")?;
    }
    Ok(Action::LoadBalance { verb, backends, hash_fields, snat })
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    match cursor.peek() {
        Some(Token::Text(text)) => {
            cursor.advance();
            Ok(text.clone())
        }
        _ => Err(cursor.error("a quoted string is missing")),
    }
}

fn backend(cursor: &mut Cursor<'_>) -> Result<Backend, SyntaxError> {
    let port_name = match cursor.peek() {
        Some(Token::Text(_)) => {
            let name = text(cursor)?;
            cursor.need(":")?;
            Some(name)
        }
        _ => None,
    };
    let bracket = cursor.take("[");
    let (ip6, address) = address(cursor)?;
    if bracket {
        cursor.need("]")?;
    }
    let port = if cursor.take(":") { Some(port(cursor)?) } else { None };
    Ok(Backend { port_name, ip6, address, port })
}

fn select(cursor: &mut Cursor<'_>, to: Operand) -> Result<Action, SyntaxError> {
    if to.bits.is_none_or(|(_, width)| width < 16) {
        return Err(cursor.error(format!("{to} has fewer than the 16 bits that select needs")));
    }
    cursor.need("(")?;
    let inner = cursor.take_name("values");
    if inner {
        cursor.need("=")?;
        cursor.need("(")?;
    }
    let mut values = Vec::new();
    while !cursor.take(")") {
        let id = port(cursor)?;
        let weight = if cursor.take("=") { port(cursor)? } else { 100 };
        if weight == 0 {
            return Err(cursor.error("a weight cannot be 0"));
        }
        values.push((id, weight));
        cursor.take(",");
    }
    if values.len() < 2 {
        return Err(cursor.error("select needs at least two values"));
    }
    let mut hash_fields = None;
    if inner {
        cursor.need(";")?;
        if !cursor.take_name("hash_fields") {
            return Err(cursor.error("hash_fields is missing"));
        }
        cursor.need("=")?;
        hash_fields = Some(text(cursor)?);
        cursor.need(")")?;
    }
    Ok(Action::Select { to, values, hash_fields })
}
