//! OVN expressions: the matches of logical flows, and the microflows of ovn-trace(8).

use super::{BadWord, Word};

/// An expression that compares fields with constants, in the syntax of ovn-sb(5), table `Logical_Flow`, column
/// `match`:
///
/// ```text
/// inport == "shop_web-1" && eth.src == 0a:58:0a:f4:00:04 && ip4.dst == {10.0.0.0/8, $set} && !tcp
/// ```
///
/// The expression was parsed, so it contains no option, no second command and no unterminated quote. The program
/// itself checks the meaning of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvnExpression {
    word: Word,
    equal: Vec<(String, String)>,
}

/// The error of a text that is not a valid expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// The text cannot be an argument on a command line.
    #[error("the expression cannot be a command-line argument: {0}")]
    Word(BadWord),
    /// The text contains a character that no expression has, or an unterminated string.
    #[error("unexpected {0:?}")]
    Character(String),
    /// Another token is expected here.
    #[error("expected {wanted} before {found:?}")]
    Wanted {
        /// The expected token.
        wanted: &'static str,
        /// The rest of the text.
        found: String,
    },
    /// The parentheses are nested too deeply.
    #[error("the expression is nested too deeply")]
    Deep,
}

impl OvnExpression {
    /// The maximum length of an expression in bytes, which is more than any microflow needs.
    pub const MAX: usize = 4096;

    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        let text = text.trim();
        if text.len() > Self::MAX {
            return Err(BadExpression::Word(BadWord::Long));
        }
        let word = Word::parse(text).map_err(BadExpression::Word)?;
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, equal: Vec::new() };
        parser.any()?;
        match parser.peek() {
            None => Ok(Self { word, equal: parser.equal }),
            Some(_) => Err(parser.wanted("`&&`, `||` or the end")),
        }
    }

    /// Returns the string that `==` compares a field with. For `inport` it is the name of the port.
    pub fn string(&self, field: &str) -> Option<&str> {
        self.equal.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// Returns the text of the expression.
    pub fn as_str(&self) -> &str {
        self.word.as_str()
    }

    pub(super) fn word(&self) -> Word {
        self.word.clone()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A field, an address, a number or the name of a function.
    Name(&'a str),
    /// A string `"…"`, without its quotes.
    String(&'a str),
    /// An address set `$set` or a port group `@group`.
    Set(&'a str),
    /// An operator or a bracket.
    Sign(&'a str),
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, BadExpression> {
    const SIGNS: [&str; 14] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "{", "}", ","];
    let bad = |rest: &str| BadExpression::Character(rest.chars().take(20).collect());
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '/' | '_' | '[' | ']');
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        // OVN-Kubernetes adds comments to the matches that it writes.
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").ok_or_else(|| bad(rest))?.1.trim_start();
            continue;
        }
        let (token, length) = match first {
            '"' => {
                let end = rest.get(1..).and_then(|rest| rest.find(['"', '\\'])).ok_or_else(|| bad(rest))? + 1;
                // Escapes are rejected, because they would have to be interpreted exactly as the program does. No name
                // needs them.
                if rest.get(end..).is_none_or(|rest| rest.starts_with('\\')) {
                    return Err(bad(rest));
                }
                (Token::String(rest.get(1..end).unwrap_or_default()), end + 1)
            }
            '$' | '@' => {
                let end = rest
                    .get(1..)
                    .and_then(|rest| rest.find(|c: char| !name(c)))
                    .map_or(rest.len(), |end| end + 1);
                (Token::Set(rest.get(..end).unwrap_or_default()), end)
            }
            c if name(c) => {
                let end = rest.find(|c: char| !name(c)).unwrap_or(rest.len());
                (Token::Name(rest.get(..end).unwrap_or_default()), end)
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign)).ok_or_else(|| bad(rest))?;
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    equal: Vec<(String, String)>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(it)) if *it == sign);
        self.at += usize::from(is);
        is
    }

    fn wanted(&self, wanted: &'static str) -> BadExpression {
        let text = |token: &Token<'_>| match token {
            Token::Name(text) | Token::Set(text) | Token::Sign(text) => (*text).to_owned(),
            Token::String(text) => format!("\"{text}\""),
        };
        let found: Vec<String> = self.tokens.iter().skip(self.at).take(4).map(text).collect();
        BadExpression::Wanted { wanted, found: found.join(" ") }
    }

    /// Parses terms that are joined by `&&` or `||`.
    fn any(&mut self) -> Result<(), BadExpression> {
        const DEEPEST: usize = 100;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(BadExpression::Deep);
        }
        self.term()?;
        while self.take("&&") || self.take("||") {
            self.term()?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn term(&mut self) -> Result<(), BadExpression> {
        while self.take("!") {}
        if self.take("(") {
            self.any()?;
            return if self.take(")") { Ok(()) } else { Err(self.wanted("`)`")) };
        }
        let first = self.operand()?;
        // This is a function such as `is_chassis_resident("port")`.
        if matches!(first, Some(Token::Name(_))) && self.take("(") {
            self.operand()?;
            return if self.take(")") { Ok(()) } else { Err(self.wanted("`)`")) };
        }
        let mut last = first;
        // A range has two comparisons: `0 < tcp.src < 1024`.
        for _ in 0..2 {
            let Some(Token::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">="))) = self.peek().cloned()
            else {
                break;
            };
            self.at += 1;
            let next = self.operand()?;
            if let ("==", Some(Token::Name(field)), Some(Token::String(value))) = (sign, &last, &next) {
                self.equal.push(((*field).to_owned(), (*value).to_owned()));
            }
            last = next;
        }
        Ok(())
    }

    /// Parses a field or a constant, or several constants in braces, for which it returns `None`.
    fn operand(&mut self) -> Result<Option<Token<'a>>, BadExpression> {
        if self.take("{") {
            loop {
                match self.peek() {
                    Some(Token::Sign(_)) | None => return Err(self.wanted("a constant")),
                    Some(_) => self.at += 1,
                }
                self.take(",");
                if self.take("}") {
                    return Ok(None);
                }
            }
        }
        match self.peek().cloned() {
            Some(token @ (Token::Name(_) | Token::String(_) | Token::Set(_))) => {
                self.at += 1;
                Ok(Some(token))
            }
            _ => Err(self.wanted("a field or a constant")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn microflows_and_matches_are_expressions() {
        for text in [
            "inport==\"clients_client-zg4wk\" && eth.src==0a:58:0a:f4:00:04 && ip4.src==10.244.0.4 && ip.ttl==64 && tcp",
            "(((ip4 && icmp4.type == 3) || (ip6 && icmp6.type == 2)) && flags.tunnel_rx == 1)",
            "ip4.src == {$a930837685428365392} && tcp && tcp.dst==5432 && outport == @a12666890272554520432",
            "ct.new && !ct.est && ip6.dst == fd69::/112 && reg0[0..15] == 80",
            "is_chassis_resident(\"cr-rtos-w\") && 0 < tcp.src < 1024 && ip4.dst == {10.0.0.1, 10.0.0.2 10.0.0.3}",
            "inport == \"rtos-w\" && ip4.dst == 172.18.0.4 /* w */",
            "eth.src == 0a:58:0a:00:00:00/ff:ff:ff:00:00:00 && ip6.dst[120..127] == 0xff",
        ] {
            assert_eq!(OvnExpression::parse(text).map(|it| it.as_str().to_owned()).as_deref(), Ok(text));
        }
        let inport = OvnExpression::parse("tcp && inport == \"a b\" && ip4");
        assert_eq!(inport.unwrap().string("inport"), Some("a b"));
    }

    #[test]
    fn invalid_expressions_are_rejected() {
        for text in [
            "",
            "-",
            "--db=tcp:192.0.2.1:6642",
            "--detach",
            "tcp --",
            "tcp; next",
            "tcp &&",
            "&& tcp",
            "(tcp",
            "tcp)",
            "inport == \"a",
            "inport == \"a\\\" && tcp",
            "tcp\nudp",
            "tcp /* a",
            "tcp | udp",
            "tcp & udp",
            "a = b",
            "$(id)",
            "`id`",
            "ip4.dst == {",
            "ip4.dst == {}",
            "ip4.dst == {10.0.0.1",
            "tcp udp",
            "inport == -1",
            "a == (b)",
            "é",
        ] {
            assert!(OvnExpression::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(OvnExpression::parse(&"(".repeat(4000)), Err(BadExpression::Deep));
        assert!(OvnExpression::parse(&format!("tcp{}", " && tcp".repeat(600))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_taken_is_one_harmless_word(
            text in ".*|-.*|[-a-z0-9 \\.\"\\\\(){}\\[\\]!<>=&|$@,:/\n]{0,60}",
        ) {
            if let Ok(expression) = OvnExpression::parse(&text) {
                let word = expression.word();
                prop_assert!(!word.as_str().starts_with('-') && !word.as_str().contains(char::is_control));
                let quoted = word.as_str().contains('"') || word.as_str().contains("/*");
                prop_assert!(quoted || !word.as_str().contains([';', '`', '\\', '\'']));
            }
        }
    }
}
