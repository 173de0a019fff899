//! Comparisons of numbers: `tcp[tcpflags] & (tcp-syn|tcp-ack) != 0`.

use super::{
    BadFilter, FilterProtocol,
    lex::Kind,
    names,
    parse::Parser,
    tree::{Number, Test},
};

/// The operators and their precedences. libpcap's grammar gives `%` and `^` no precedence, so they need parentheses
/// next to another operator.
const OPERATORS: [(&str, Option<u8>); 10] = [
    ("|", Some(0)),
    ("&", Some(1)),
    ("<<", Some(2)),
    (">>", Some(2)),
    ("+", Some(3)),
    ("-", Some(3)),
    ("*", Some(4)),
    ("/", Some(4)),
    ("%", None),
    ("^", None),
];

impl Parser<'_> {
    /// Parses two numbers and the sign between them.
    pub(super) fn comparison(&mut self) -> Result<Test, BadFilter> {
        const SIGNS: [(&str, &str); 7] =
            [("=", "="), ("==", "="), ("!=", "!="), ("<=", "<="), (">=", ">="), ("<", "<"), (">", ">")];
        let left = self.sum()?;
        let Some((_, sign)) = SIGNS.into_iter().find(|(text, _)| self.take(text)) else {
            return Err(self.wanted("an operator such as `&`, or one of `=`, `!=`, `<`, `>`, `<=` and `>=`"));
        };
        Ok(Test::Compare(left, sign, self.sum()?))
    }

    /// Parses operands that are joined by operators.
    fn sum(&mut self) -> Result<Number, BadFilter> {
        let mut waiting: Vec<(Number, &'static str, u8)> = Vec::new();
        let mut last = self.factor()?;
        let mut alone = None;
        let mut count = 0;
        loop {
            let (begin, found) = (self.place(), OPERATORS.into_iter().find(|(sign, _)| self.take(sign)));
            // Operators that bind at least as tightly as this one come first.
            let precedence = found.map(|(_, precedence)| precedence.unwrap_or_default());
            while let Some((left, sign, _)) =
                waiting.pop_if(|(_, _, before)| precedence.is_none_or(|precedence| *before >= precedence))
            {
                last = Number::Of(Box::new(left), sign, Box::new(last));
            }
            let Some((sign, has_precedence)) = found else { return Ok(last) };
            count += 1;
            alone = alone.or(has_precedence.is_none().then_some((sign, begin)));
            if let (Some((sign, begin)), 2..) = (alone, count) {
                self.go_back(begin);
                return Err(self.refused(&format!("`{sign}` has no precedence here: use parentheses")));
            }
            waiting.push((last, sign, has_precedence.unwrap_or_default()));
            let begin = self.place();
            last = self.factor()?;
            let why = match (sign, &last) {
                ("/" | "%", Number::Constant(0, _)) => "this divides by zero",
                ("<<" | ">>", Number::Constant(32.., _)) => "a number has only 32 bits",
                _ => continue,
            };
            self.go_back(begin);
            return Err(self.refused(why));
        }
    }

    /// Parses one operand.
    fn factor(&mut self) -> Result<Number, BadFilter> {
        self.count()?;
        match self.peek() {
            Some(Kind::Number(number, is_hex)) => {
                self.next();
                Ok(Number::Constant(number, is_hex))
            }
            Some(Kind::Sign("(")) => {
                self.next();
                self.deeper()?;
                let number = self.sum()?;
                self.shallower();
                if self.take(")") { Ok(number) } else { Err(self.wanted("an operator or `)`")) }
            }
            Some(Kind::Name("len" | "length")) => {
                self.next();
                Ok(Number::Length)
            }
            Some(Kind::Name(name)) => {
                if let Some(name) = names::NUMBERS.iter().find(|it| **it == name) {
                    self.next();
                    return Ok(Number::Name(name));
                }
                match FilterProtocol::of(name) {
                    Some(protocol) if protocol.has_bytes() => self.bytes(protocol),
                    Some(_) => Err(self.refused("the language cannot read the bytes of this header")),
                    // The language takes `len-4` for one name.
                    None if name.contains('-') => Err(self.refused("put spaces around the `-`")),
                    None => Err(self.wanted("a number, `len` or the bytes of a header such as `tcp[13]`")),
                }
            }
            _ => Err(self.wanted("a number, `len` or the bytes of a header such as `tcp[13]`")),
        }
    }

    /// Parses bytes of a header: `ip[6:2]`.
    fn bytes(&mut self, protocol: FilterProtocol) -> Result<Number, BadFilter> {
        self.next();
        if !self.take("[") {
            return Err(self.wanted("`[` and an offset"));
        }
        self.deeper()?;
        let offset = Box::new(self.sum()?);
        self.shallower();
        let mut size = 1;
        if self.take(":") {
            size = match self.peek() {
                Some(Kind::Number(1, _)) => 1,
                Some(Kind::Number(2, _)) => 2,
                Some(Kind::Number(4, _)) => 4,
                _ => return Err(self.wanted("the number of bytes: 1, 2 or 4,")),
            };
            self.next();
        }
        if self.take("]") {
            Ok(Number::Bytes(protocol, offset, size))
        } else {
            Err(self.wanted("`:` or `]`"))
        }
    }
}
