//! Parses matches in the syntax of ovn-sb(5), table `Logical_Flow`, column `match`.

use super::{Constant, Expr, Operand, Relation};
use crate::{
    lex::{Format, Number, SyntaxError, Token, tokens},
    symbol::{Meaning, SYMBOLS, Symbol},
};
use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

/// The limit of nested parentheses, which is the same in OVN.
pub const MAX_DEPTH: usize = 100;

/// Parses a match.
///
/// # Errors
/// Returns an error if OVN would reject the text. Such a flow never comes into force.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let tokens = tokens(text)?;
    let mut parser = Cursor::new(&tokens, text.len());
    let expr = expression(&mut parser, false)?;
    parser.end()?;
    Ok(expr)
}

/// The position of a parser in a list of tokens.
pub(crate) struct Cursor<'a> {
    tokens: &'a [(usize, Token)],
    next: usize,
    length: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(tokens: &'a [(usize, Token)], length: usize) -> Self {
        Self { tokens, next: 0, length, depth: 0 }
    }

    pub(crate) fn peek(&self) -> Option<&'a Token> {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.next + ahead).map(|(_, token)| token)
    }

    pub(crate) fn advance(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.next += usize::from(token.is_some());
        token
    }

    pub(crate) fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(it)) if *it == sign)
    }

    pub(crate) fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.next += usize::from(found);
        found
    }

    pub(crate) fn need(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.take(sign) { Ok(()) } else { Err(self.error(format!("{sign:?} is missing"))) }
    }

    pub(crate) fn take_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(it)) if it == name);
        self.next += usize::from(found);
        found
    }

    pub(crate) fn end(&self) -> Result<(), SyntaxError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error("unexpected text after the end")) }
    }

    /// Returns an error at the next token.
    pub(crate) fn error(&self, what: impl Into<String>) -> SyntaxError {
        let at = self.tokens.get(self.next).map_or(self.length, |(at, _)| *at);
        SyntaxError { at, what: what.into() }
    }

    /// Parses a small decimal number.
    pub(crate) fn integer(&mut self) -> Result<u32, SyntaxError> {
        match self.peek() {
            Some(Token::Number(Number { value, mask: None, format: Format::Decimal }))
                if *value <= i32::MAX as u128 =>
            {
                self.next += 1;
                Ok(*value as u32)
            }
            _ => Err(self.error("a small decimal number is missing")),
        }
    }

    /// Parses one level deeper, up to [`MAX_DEPTH`].
    pub(crate) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error("the parentheses are nested too deeply"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

/// Parses an expression. `negated` is true after an odd number of `!`, which restricts comparisons of nominal fields.
fn expression(cursor: &mut Cursor<'_>, negated: bool) -> Result<Expr, SyntaxError> {
    let first = term(cursor, negated)?;
    let (sign, other) = if cursor.is("&&") { ("&&", "||") } else { ("||", "&&") };
    let mut parts = vec![first];
    while cursor.take(sign) {
        parts.push(term(cursor, negated)?);
    }
    if parts.len() > 1 && cursor.is(other) {
        return Err(cursor.error("&& and || need parentheses when they are used together"));
    }
    Ok(if sign == "&&" { all(parts) } else { any(parts) })
}

/// Merges nested conjunctions or disjunctions into one.
fn all(parts: Vec<Expr>) -> Expr {
    let flat = parts.into_iter().flat_map(|part| match part {
        Expr::All(parts) => parts,
        other => vec![other],
    });
    single(flat.collect(), Expr::All)
}

fn any(parts: Vec<Expr>) -> Expr {
    let flat = parts.into_iter().flat_map(|part| match part {
        Expr::Any(parts) => parts,
        other => vec![other],
    });
    single(flat.collect(), Expr::Any)
}

fn single(mut parts: Vec<Expr>, several: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(part) if parts.is_empty() => part,
        Some(part) => {
            parts.push(part);
            several(parts)
        }
        None => several(parts),
    }
}

fn term(cursor: &mut Cursor<'_>, negated: bool) -> Result<Expr, SyntaxError> {
    if !cursor.take("!") {
        return primary(cursor, negated).map(|(expr, _)| expr);
    }
    match primary(cursor, !negated)? {
        (expr, true) => Ok(expr.negated()),
        (_, false) => Err(cursor.error("the expression after ! needs parentheses")),
    }
}

/// Parses a term. The flag says whether `!` may precede it.
fn primary(cursor: &mut Cursor<'_>, negated: bool) -> Result<(Expr, bool), SyntaxError> {
    if cursor.take("(") {
        let inner = cursor.nested(|cursor| expression(cursor, negated))?;
        cursor.need(")")?;
        return Ok((inner, true));
    }
    if !matches!(cursor.peek(), Some(Token::Name(_))) {
        return constant_first(cursor, negated);
    }
    if cursor.peek_at(1) == Some(&Token::Sign("(")) {
        if !cursor.take_name("is_chassis_resident") {
            return Err(cursor.error("the only function that a match can call is is_chassis_resident"));
        }
        cursor.need("(")?;
        let port = match cursor.advance() {
            Some(Token::Text(port)) => port.clone(),
            _ => return Err(cursor.error("a quoted port name is missing")),
        };
        cursor.need(")")?;
        return Ok((Expr::Resident { port, negated: false }, true));
    }
    let operand = operand(cursor)?;
    if let Some(relation) = relation(cursor) {
        let (with, braces) = constants(cursor)?;
        return Ok((compare(cursor, operand, relation, with, braces, negated)?, false));
    }
    let Some((_, width)) = operand.bits.filter(|_| !cursor.is("=")) else {
        return Err(cursor.error(format!("{operand} must be compared with a value")));
    };
    if width > 1 && !negated {
        return Err(cursor.error(format!("{operand} has {width} bits: write {operand} != 0")));
    }
    let zero = Constant::Number(Number { value: 0, mask: None, format: Format::Decimal });
    Ok((compare(cursor, operand, Relation::Ne, vec![zero], false, negated)?, true))
}

/// Parses an expression that begins with a constant: `1`, `0`, `80 == tcp.dst`, `1 < ip.ttl < 5`.
fn constant_first(cursor: &mut Cursor<'_>, negated: bool) -> Result<(Expr, bool), SyntaxError> {
    let (with, braces) = constants(cursor)?;
    let Some(first) = relation(cursor) else {
        return match with.as_slice() {
            [Constant::Number(Number { value: value @ (0 | 1), mask: None, format: Format::Decimal })]
                if !braces =>
            {
                Ok((Expr::Constant(*value == 1), true))
            }
            _ => Err(cursor.error("a comparison is missing")),
        };
    };
    let operand = operand(cursor)?;
    let left = compare(cursor, operand, first.turned(), with, braces, negated)?;
    let Some(second) = relation(cursor) else { return Ok((left, false)) };
    let (with, braces) = constants(cursor)?;
    use Relation::{Ge, Gt, Le, Lt};
    if !matches!((first, second), (Lt | Le, Lt | Le) | (Gt | Ge, Gt | Ge)) {
        return Err(cursor.error("both comparisons of a range must point in the same direction"));
    }
    let right = compare(cursor, operand, second, with, braces, negated)?;
    Ok((all(vec![left, right]), false))
}

fn relation(cursor: &mut Cursor<'_>) -> Option<Relation> {
    let all = [Relation::Eq, Relation::Ne, Relation::Lt, Relation::Le, Relation::Gt, Relation::Ge];
    all.into_iter().find(|relation| cursor.take(relation.sign()))
}

/// Parses an operand: a symbol, or some of its bits.
pub(crate) fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, SyntaxError> {
    let Some(Token::Name(name)) = cursor.peek() else { return Err(cursor.error("a field is missing")) };
    let symbol = Symbol::named(name).ok_or_else(|| cursor.error(format!("unknown field {name:?}")))?;
    cursor.advance();
    let Some(width) = symbol.width() else {
        return if cursor.is("[") {
            Err(cursor.error(format!("bits of {name} cannot be selected")))
        } else {
            Ok(Operand { symbol, bits: None })
        };
    };
    if !cursor.take("[") {
        return Ok(Operand { symbol, bits: Some((0, width)) });
    }
    let low = cursor.integer()?;
    let high = if cursor.take("..") { cursor.integer()? } else { low };
    cursor.need("]")?;
    if low > high || high >= u32::from(width) {
        return Err(cursor.error(format!("{name} has only {width} bits, so it has no bits {low} to {high}")));
    }
    let selected = (high - low + 1) as u8;
    if is_nominal(symbol) && selected != width {
        return Err(cursor.error(format!("{name} can only be used as a whole")));
    }
    Ok(Operand { symbol, bits: Some((low as u8, selected)) })
}

/// Returns whether a symbol may only be tested for equality. A predicate of such a field may not be negated either.
fn is_nominal(symbol: &Symbol) -> bool {
    match symbol.meaning {
        Meaning::Nominal(_) | Meaning::Port(_) | Meaning::Outside(_) => true,
        Meaning::Field(_) | Meaning::Part(..) => false,
        Meaning::Predicate(text) => {
            // A predicate uses only symbols before it in the table, so the recursion ends.
            static NOMINAL: LazyLock<HashMap<&str, OnceLock<bool>>> =
                LazyLock::new(|| SYMBOLS.iter().map(|symbol| (symbol.name, OnceLock::new())).collect());
            let is = || parse(text).is_ok_and(|expr| uses_nominal(&expr));
            NOMINAL.get(symbol.name).is_some_and(|known| *known.get_or_init(is))
        }
    }
}

fn uses_nominal(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(_) | Expr::Resident { .. } => false,
        Expr::Compare { operand, .. } => is_nominal(operand.symbol),
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(uses_nominal),
    }
}

/// Parses one constant, or several constants in braces.
fn constants(cursor: &mut Cursor<'_>) -> Result<(Vec<Constant>, bool), SyntaxError> {
    if !cursor.take("{") {
        return Ok((vec![constant(cursor)?], false));
    }
    let mut found = vec![constant(cursor)?];
    while !cursor.take("}") {
        // A comma is optional, also before the closing brace.
        if !(cursor.take(",") && cursor.is("}")) {
            if cursor.is("}") {
                continue;
            }
            found.push(constant(cursor)?);
        }
    }
    Ok((found, true))
}

fn constant(cursor: &mut Cursor<'_>) -> Result<Constant, SyntaxError> {
    let constant = match cursor.peek() {
        Some(Token::Number(number)) => Constant::Number(*number),
        Some(Token::Text(text)) => Constant::Text(text.clone()),
        Some(Token::AddressSet(name)) => Constant::AddressSet(name.clone()),
        Some(Token::PortGroup(name)) => Constant::PortGroup(name.clone()),
        Some(Token::Template(name)) => Constant::Template(name.clone()),
        _ => return Err(cursor.error("a constant is missing")),
    };
    cursor.advance();
    Ok(constant)
}

/// Builds a comparison, if the operand allows it.
fn compare(
    cursor: &Cursor<'_>,
    operand: Operand,
    relation: Relation,
    with: Vec<Constant>,
    braces: bool,
    negated: bool,
) -> Result<Expr, SyntaxError> {
    let symbol = operand.symbol;
    for constant in &with {
        let fits = match (constant, symbol.width()) {
            (Constant::Template(_), _) => true,
            (Constant::Number(number), Some(width)) => number.width() <= width,
            (Constant::AddressSet(_), Some(_)) | (Constant::Text(_) | Constant::PortGroup(_), None) => true,
            _ => false,
        };
        if !fits {
            return Err(
                cursor.error(format!("{symbol} cannot be compared with {constant}", symbol = symbol.name))
            );
        }
    }
    let equality = matches!(relation, Relation::Eq | Relation::Ne);
    let masked = with.iter().any(|it| matches!(it, Constant::Number(Number { mask: Some(_), .. })));
    if !equality && (braces || masked || is_nominal(symbol)) {
        return Err(cursor.error(format!("{operand} can only be compared with == and != here")));
    }
    if is_nominal(symbol) {
        let positive = match (symbol.meaning, with.as_slice()) {
            (Meaning::Predicate(_), [Constant::Number(number)]) => {
                (number.value & 1 == 1) ^ (relation == Relation::Ne) ^ negated
            }
            _ => (relation == Relation::Eq) ^ negated,
        };
        if !positive {
            return Err(cursor.error(format!("{operand} may not be negated")));
        }
    }
    Ok(Expr::Compare { operand, relation, with, braces })
}
