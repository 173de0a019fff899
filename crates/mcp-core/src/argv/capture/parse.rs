//! The parser of the filter language.
//!
//! It follows the grammar of libpcap: `and` and `or` have the same precedence, `not` binds tighter, and a value without
//! a qualifier takes the qualifier of the test before it (`port 80 or 443`).

use super::{
    BadFilter, FilterProtocol,
    lex::{Kind, Token, tokens},
    names,
    tree::{Condition, Direction, Ends, Join, Test},
};

/// Parses a text.
pub(super) fn parse(text: &str) -> Result<Condition, BadFilter> {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, terms: 0 };
    let (condition, _) = parser.conditions(None)?;
    match parser.peek() {
        None if condition.depth() > BadFilter::DEEPEST => Err(BadFilter::Deep),
        None => Ok(condition),
        Some(_) => Err(parser.wanted("`and`, `or` or the end")),
    }
}

/// The qualifier of a test, which values after it take over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Qualifier {
    pub(super) ends: Ends,
    pub(super) kind: Type,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Host,
    Net,
    Port,
    Ports,
    Protocol,
}

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    terms: usize,
}

/// A condition, and the qualifier that a value after it takes over.
type Parsed = Result<(Condition, Option<Qualifier>), BadFilter>;

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<Kind<'a>> {
        self.kind(self.at)
    }

    pub(super) fn kind(&self, index: usize) -> Option<Kind<'a>> {
        self.tokens.get(index).map(|token| token.kind)
    }

    pub(super) fn next(&mut self) {
        self.at += 1;
    }

    /// Returns the place of the next token, for [`Self::go_back`].
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Goes back to a token, so that an error is about it.
    pub(super) fn go_back(&mut self, place: usize) {
        self.at = place;
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = matches!(self.peek(), Some(Kind::Sign(it) | Kind::Name(it)) if it == text);
        self.at += usize::from(found);
        found
    }

    fn take_any(&mut self, texts: [&str; 2]) -> bool {
        texts.into_iter().any(|text| self.take(text))
    }

    /// Returns the place of the next token and the text from there.
    fn rest(&self) -> (&'a str, usize) {
        let at = self.tokens.get(self.at).map_or(self.text.len(), |token| token.at);
        (self.text.get(at..).unwrap_or_default(), at)
    }

    pub(super) fn wanted(&self, wanted: &str) -> BadFilter {
        let (rest, at) = self.rest();
        BadFilter::wanted(wanted, rest, at)
    }

    pub(super) fn refused(&self, why: &str) -> BadFilter {
        let (rest, at) = self.rest();
        BadFilter::refused(rest.split(' ').next().unwrap_or_default(), at, why)
    }

    /// Begins something that can contain itself.
    pub(super) fn deeper(&mut self) -> Result<(), BadFilter> {
        self.depth += 1;
        if self.depth > BadFilter::DEEPEST { Err(BadFilter::Deep) } else { Ok(()) }
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// Counts a test, or a number in a test.
    pub(super) fn count(&mut self) -> Result<(), BadFilter> {
        self.terms += 1;
        if self.terms > BadFilter::MOST { Err(BadFilter::Many) } else { Ok(()) }
    }

    fn join(&mut self) -> Option<Join> {
        if self.take_any(["and", "&&"]) {
            return Some(Join::And);
        }
        self.take_any(["or", "||"]).then_some(Join::Or)
    }

    /// Parses conditions that are joined by `and` or `or`, after a test with the qualifier `before`.
    fn conditions(&mut self, before: Option<Qualifier>) -> Parsed {
        let (mut condition, mut qualifier) = self.operand(before, false)?;
        while let Some(join) = self.join() {
            let (next, used) = self.operand(qualifier, true)?;
            condition = condition.join(join, next);
            qualifier = used;
        }
        Ok((condition, qualifier))
    }

    /// Parses one condition. A value alone is a condition if it follows `and` or `or`.
    fn operand(&mut self, before: Option<Qualifier>, after_join: bool) -> Parsed {
        if self.take_any(["not", "!"]) {
            self.deeper()?;
            let (condition, qualifier) = self.operand(before, after_join)?;
            self.shallower();
            return Ok((Condition::Not(Box::new(condition)), qualifier));
        }
        if self.is_comparison(self.at) {
            return Ok((Condition::Test(self.comparison()?), None));
        }
        match (self.peek(), before) {
            (Some(Kind::Sign("(")), Some(qualifier)) if after_join && self.is_value(self.at + 1) => {
                Ok((self.values(qualifier)?, before))
            }
            (Some(Kind::Sign("(")), _) => {
                self.next();
                self.deeper()?;
                let (condition, _) = self.conditions(before)?;
                self.shallower();
                match self.take(")") {
                    // A value after the parenthesis takes the qualifier from before the parenthesis.
                    true => Ok((condition, before)),
                    false => Err(self.wanted("`and`, `or` or `)`")),
                }
            }
            (Some(_), Some(qualifier)) if after_join && self.is_value(self.at) => {
                Ok((Condition::Test(self.value(qualifier)?), before))
            }
            _ => self.test(),
        }
    }

    /// Whether a value without a qualifier begins at a token.
    fn is_value(&self, index: usize) -> bool {
        match self.kind(index) {
            Some(Kind::Name(name)) => !is_keyword(name),
            Some(Kind::Sign(_)) | None => false,
            Some(_) => !self.is_comparison(index),
        }
    }

    /// Whether a comparison of numbers begins at a token. A parenthesis belongs to one if an operator follows it.
    fn is_comparison(&self, index: usize) -> bool {
        const NO_OPERATORS: [&str; 8] = ["(", ")", "[", "]", ":", "!", "&&", "||"];
        let operator =
            |index| matches!(self.kind(index), Some(Kind::Sign(sign)) if !NO_OPERATORS.contains(&sign));
        match self.tokens.get(index) {
            Some(Token { kind: Kind::Name("len" | "length"), .. }) => true,
            Some(Token { kind: Kind::Name(name), after, .. }) if FilterProtocol::of(name).is_some() => {
                self.kind(*after) == Some(Kind::Sign("["))
            }
            Some(Token { kind: Kind::Name(name), .. }) => names::NUMBERS.contains(name),
            Some(Token { kind: Kind::Number(..) | Kind::Sign("("), after, .. }) => operator(*after),
            _ => false,
        }
    }

    /// Parses the value of a qualifier: one, a negated one, or several in parentheses.
    fn qualified(&mut self, qualifier: Qualifier) -> Result<Condition, BadFilter> {
        if self.take_any(["not", "!"]) {
            self.deeper()?;
            let condition = self.qualified(qualifier)?;
            self.shallower();
            return Ok(Condition::Not(Box::new(condition)));
        }
        match self.peek() {
            Some(Kind::Sign("(")) => self.values(qualifier),
            _ => Ok(Condition::Test(self.value(qualifier)?)),
        }
    }

    /// Parses values in parentheses, as in `host (10.0.0.1 or 10.0.0.2)`.
    fn values(&mut self, qualifier: Qualifier) -> Result<Condition, BadFilter> {
        self.next();
        self.deeper()?;
        let mut condition = Condition::Test(self.value(qualifier)?);
        while let Some(join) = self.join() {
            condition = condition.join(join, self.qualified(qualifier)?);
        }
        self.shallower();
        match self.take(")") {
            true => Ok(condition),
            false => Err(self.wanted("`and`, `or` or `)`")),
        }
    }

    /// Parses a test that begins with a keyword.
    fn test(&mut self) -> Parsed {
        let Some(Kind::Name(keyword)) = self.peek() else {
            return Err(self.no_test());
        };
        if let Some(why) = names::refused(keyword) {
            return Err(self.refused(why));
        }
        let protocol = FilterProtocol::of(keyword);
        self.at += usize::from(protocol.is_some());
        let direction = self.direction();
        let ends = Ends { protocol, direction: direction.unwrap_or(Direction::Either) };
        let kind = [
            ("host", Type::Host),
            ("net", Type::Net),
            ("portrange", Type::Ports),
            ("port", Type::Port),
            ("proto", Type::Protocol),
        ];
        if direction.is_some() && self.peek() == Some(Kind::Name("proto")) {
            return Err(self.refused("`proto` has no `src` and `dst`"));
        }
        let kind = kind.into_iter().find(|(keyword, _)| self.take(keyword)).map(|(_, kind)| kind);
        if let Some(kind) = kind.or(direction.map(|_| Type::Host)) {
            let qualifier = Qualifier { ends, kind };
            self.check(qualifier)?;
            return Ok((self.qualified(qualifier)?, Some(qualifier)));
        }
        self.count()?;
        Ok((Condition::Test(self.other(protocol)?), None))
    }

    /// Parses a test that has no qualifier, after its protocol.
    fn other(&mut self, protocol: Option<FilterProtocol>) -> Result<Test, BadFilter> {
        for which in ["broadcast", "multicast"] {
            if self.peek() != Some(Kind::Name(which)) {
                continue;
            }
            return match (protocol, which) {
                (None | Some(FilterProtocol::Ether), _)
                | (Some(FilterProtocol::Ip | FilterProtocol::Ip6), "multicast") => {
                    self.next();
                    Ok(Test::Many(protocol.filter(|it| *it != FilterProtocol::Ether), which))
                }
                (Some(FilterProtocol::Ip), _) => Err(self.refused(
                    "the programs do not know the netmask: write `ether broadcast` or `ip dst host ADDRESS`",
                )),
                _ => Err(self.refused("only `ether`, `ip` and `ip6` have it")),
            };
        }
        if let Some(protocol) = protocol {
            return match self.peek() {
                Some(Kind::Name(name)) if names::refused(name).is_some() => {
                    Err(self.refused(names::refused(name).unwrap_or_default()))
                }
                _ if protocol == FilterProtocol::Ether => {
                    Err(self.wanted("`host`, `src`, `dst`, `proto`, `broadcast`, `multicast` or `[`"))
                }
                Some(Kind::Sign(")" | "&&" | "||") | Kind::Name("and" | "or")) | None => {
                    Ok(Test::Protocol(protocol))
                }
                _ if protocol.has_ports() => {
                    Err(self.wanted("`port`, `portrange`, `src`, `dst`, `[`, `and`, `or` or the end"))
                }
                _ => Err(self.wanted("`host`, `net`, `src`, `dst`, `proto`, `[`, `and`, `or` or the end")),
            };
        }
        for which in ["less", "greater"] {
            if self.take(which) {
                return Ok(Test::Length(which, self.number("a length in bytes", u32::MAX)?));
            }
        }
        for (what, most) in [("vlan", 0xfff), ("geneve", 0xff_ffff)] {
            if self.take(what) {
                let number = match self.peek() {
                    Some(Kind::Number(..)) => Some(self.number("an identifier", most)?),
                    _ => None,
                };
                return Ok(Test::Inside(what, number));
            }
        }
        Err(self.no_test())
    }

    fn direction(&mut self) -> Option<Direction> {
        let (source, other) = match self.peek()? {
            Kind::Name("src") => (Direction::Source, "dst"),
            Kind::Name("dst") => (Direction::Destination, "src"),
            _ => return None,
        };
        self.next();
        let start = self.at;
        match self.join() {
            Some(Join::Or) if self.take(other) => return Some(Direction::Either),
            Some(Join::And) if self.take(other) => return Some(Direction::Both),
            _ => self.at = start,
        }
        Some(source)
    }

    /// Checks that a protocol can have values of this type.
    fn check(&self, Qualifier { ends: Ends { protocol, .. }, kind }: Qualifier) -> Result<(), BadFilter> {
        use FilterProtocol as P;
        let Some(protocol) = protocol else { return Ok(()) };
        let fits = match kind {
            Type::Host => matches!(protocol, P::Ether | P::Ip | P::Ip6 | P::Arp | P::Rarp),
            Type::Net => matches!(protocol, P::Ip | P::Ip6 | P::Arp | P::Rarp),
            Type::Port | Type::Ports => protocol.has_ports(),
            Type::Protocol => matches!(protocol, P::Ether | P::Ip | P::Ip6),
        };
        let (name, it) = (protocol.as_str(), kind.as_str());
        match (fits, kind) {
            (true, _) => Ok(()),
            (false, Type::Port | Type::Ports) => Err(self.refused(&format!(
                "`{name}` has no ports in this language: write `{name} and {it} …`, or `tcp`, `udp` or `sctp`"
            ))),
            (false, _) => {
                Err(self.refused(&format!("`{name}` does not qualify `{it}`: write `{name} and {it} …`")))
            }
        }
    }

    /// Parses a number of at most `most`.
    pub(super) fn number(&mut self, wanted: &str, most: u32) -> Result<u32, BadFilter> {
        match self.peek() {
            Some(Kind::Number(number, _)) if number <= most => {
                self.next();
                Ok(number)
            }
            Some(Kind::Number(..)) => Err(self.refused(&format!("{wanted} is at most {most}"))),
            _ => Err(self.wanted(wanted)),
        }
    }

    /// Returns the error at a token with which no test begins.
    fn no_test(&self) -> BadFilter {
        match self.peek() {
            Some(Kind::Dotted(..) | Kind::V6(_) | Kind::Mac(_) | Kind::Number(..) | Kind::Escaped(_)) => {
                self.wanted("a qualifier such as `host`, `net`, `port` or `ether host`")
            }
            _ => self.wanted("a test such as `host 10.244.0.4`, `tcp port 80` or `icmp`"),
        }
    }
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Net => "net",
            Self::Port => "port",
            Self::Ports => "portrange",
            Self::Protocol => "proto",
        }
    }
}

/// Whether a name has a meaning of its own, so that it is not the name of a host or of a service.
pub(super) fn is_keyword(name: &str) -> bool {
    const KEYWORDS: [&str; 20] = [
        "src",
        "dst",
        "host",
        "net",
        "mask",
        "port",
        "portrange",
        "proto",
        "and",
        "or",
        "not",
        "less",
        "greater",
        "broadcast",
        "multicast",
        "vlan",
        "geneve",
        "len",
        "length",
        "vxlan",
    ];
    KEYWORDS.contains(&name)
        || FilterProtocol::of(name).is_some()
        || names::NUMBERS.contains(&name)
        || names::refused(name).is_some()
}
