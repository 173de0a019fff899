//! The tokens of matches and actions.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The notation of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `10`
    Decimal,
    /// `0xa`
    Hex,
    /// `10.0.0.1`
    Ip4,
    /// `fd00::1`
    Ip6,
    /// `0a:58:0a:f4:00:01`
    Mac,
}

/// A number with an optional mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// The value. Its bits outside the mask are zero.
    pub value: u128,
    /// The mask, if the number has one.
    pub mask: Option<u128>,
    /// The notation of the number.
    pub format: Format,
}

impl Number {
    /// Returns the smallest width in bits of a field that can hold the number.
    #[must_use]
    pub fn width(self) -> u8 {
        match (self.mask, self.format) {
            (Some(mask), _) => (128 - mask.leading_zeros()) as u8,
            (None, Format::Decimal | Format::Hex) => (128 - self.value.leading_zeros()) as u8,
            (None, Format::Ip4) => 32,
            (None, Format::Ip6) => 128,
            (None, Format::Mac) => 48,
        }
    }
}

/// One token of a match or an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// The name of a symbol, function or action.
    Name(String),
    /// A text in double quotes.
    Text(String),
    /// A number with an optional mask.
    Number(Number),
    /// `$name`: an address set.
    AddressSet(String),
    /// `@name`: a port group.
    PortGroup(String),
    /// `^name`: a template variable of a chassis.
    Template(String),
    /// An operator or punctuation mark, such as `(`, `==` or `&&`.
    Sign(&'static str),
}

/// A syntax error in a match or in actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The offset of the error in bytes.
    pub at: usize,
    /// The description of the error.
    pub what: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.what, self.at)
    }
}

impl std::error::Error for SyntaxError {}

/// All signs. Longer signs come first, because `<->` begins like `<`.
const SIGNS: [&str; 25] = [
    "<->", "==", "!=", "&&", "||", "<=", ">=", "..", "--", "(", ")", "{", "}", "[", "]", "=", "!", "<", ">",
    ",", ";", "-", ":", "?", "/",
];

/// Splits a text into tokens, each with its offset in bytes.
///
/// # Errors
/// Returns an error at the first byte that cannot begin a token, and for an invalid number or text.
pub fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if first.is_ascii_whitespace() || first == '\x0b' {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or(SyntaxError { at, what: "the comment has no end".to_owned() })?;
            at += end + 2;
        } else {
            let (token, length) = token(rest, first).map_err(|what| SyntaxError { at, what })?;
            found.push((at, token));
            at += length;
        }
    }
    Ok(found)
}

/// Returns the first token of a text and its length in bytes.
fn token(rest: &str, first: char) -> Result<(Token, usize), String> {
    let name = |skip: usize| {
        let name = rest.get(skip..).unwrap_or_default();
        let length =
            name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
        name.get(..length.count()).unwrap_or_default().to_owned()
    };
    let hex = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    let number = first.is_ascii_digit()
        || rest.starts_with("::")
        || hex > 0 && rest.as_bytes().get(hex) == Some(&b':');
    if number {
        return masked(rest).map(|(number, length)| (Token::Number(number), length));
    }
    match first {
        '"' => return quoted(rest),
        '$' | '@' | '^' => {
            let name = name(1);
            if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) {
                return Err(format!("a name must follow {first:?}"));
            }
            let length = 1 + name.len();
            let token = match first {
                '$' => Token::AddressSet(name),
                '@' => Token::PortGroup(name),
                _ => Token::Template(name),
            };
            return Ok((token, length));
        }
        _ if first.is_ascii_alphabetic() || matches!(first, '_' | '.') && !rest.starts_with("..") => {
            let name = name(0);
            let length = name.len();
            return Ok((Token::Name(name), length));
        }
        _ => {}
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    sign.map(|sign| (Token::Sign(sign), sign.len())).ok_or_else(|| format!("unexpected character {first:?}"))
}

/// Parses a text in double quotes with the escapes of JSON.
fn quoted(rest: &str) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Text(text), at + 1)),
            '\\' => {
                let (_, escaped) = characters.next().ok_or("the closing quote of a string is missing")?;
                text.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\x08',
                    'f' => '\x0c',
                    '"' | '\\' | '/' => escaped,
                    'u' => {
                        let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                        code.ok_or_else(|| format!("\\u{digits} is not a character"))?
                    }
                    _ => return Err(format!("unknown escape \\{escaped}")),
                });
            }
            _ => text.push(character),
        }
    }
    Err("the closing quote of a string is missing".to_owned())
}

fn masked(rest: &str) -> Result<(Number, usize), String> {
    let (number, length) = plain(rest)?;
    let Some(after) = rest.get(length..).and_then(|after| after.strip_prefix('/')) else {
        return Ok((number, length));
    };
    if after.starts_with(['/', '*']) {
        return Ok((number, length));
    }
    let (mask, mask_length) = plain(after)?;
    let prefix = |width: u32| {
        (mask.format == Format::Decimal && mask.value <= u128::from(width)).then(|| {
            let all = packet::bits(width as u8);
            all & !packet::bits(width as u8 - mask.value as u8)
        })
    };
    let (format, bits) = match (number.format, mask.format) {
        (format, other) if format == other => (format, Some(mask.value)),
        (Format::Ip4, _) => (Format::Ip4, prefix(32)),
        (Format::Ip6, _) => (Format::Ip6, prefix(128)),
        (Format::Decimal, Format::Hex) if number.value == 0 => (Format::Hex, Some(mask.value)),
        (format, _) => (format, None),
    };
    let bits = bits.ok_or("the value and its mask have different notations")?;
    Ok((Number { value: number.value & bits, mask: Some(bits), format }, length + 1 + mask_length))
}

/// Parses a number without its mask. The number ends at `..`, and at a colon after a dot, which begins a port.
fn plain(rest: &str) -> Result<(Number, usize), String> {
    let bytes = rest.as_bytes();
    let (mut length, mut dot) = (0, false);
    while let Some(byte) = bytes.get(length) {
        match byte {
            b'.' if bytes.get(length + 1) == Some(&b'.') => break,
            b'.' => dot = true,
            b':' if dot => break,
            b':' => {}
            byte if byte.is_ascii_alphanumeric() => {}
            _ => break,
        }
        length += 1;
    }
    let text = rest.get(..length).unwrap_or_default();
    let decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (value, format) = if let Some(mac) = packet::parse_mac(text).filter(|_| length == 17) {
        (Some(mac), Format::Mac)
    } else if decimal {
        let leading = text.len() > 1 && text.starts_with('0');
        (text.parse().ok().filter(|value| !leading && *value <= u128::from(u64::MAX)), Format::Decimal)
    } else if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        (u128::from_str_radix(hex, 16).ok().filter(|_| digits), Format::Hex)
    } else if let Ok(address) = text.parse::<Ipv4Addr>() {
        (Some(u128::from(address.to_bits())), Format::Ip4)
    } else {
        (text.parse().ok().map(Ipv6Addr::to_bits), Format::Ip6)
    };
    let value = value.ok_or_else(|| format!("invalid number {text:?}"))?;
    Ok((Number { value, mask: None, format }, length))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: u128| match self.format {
            Format::Decimal => value.to_string(),
            Format::Hex => format!("{value:#x}"),
            Format::Ip4 => Ipv4Addr::from_bits(value as u32).to_string(),
            Format::Ip6 => Ipv6Addr::from_bits(value).to_string(),
            Format::Mac => packet::show_mac(value),
        };
        f.write_str(&show(self.value))?;
        let Some(mask) = self.mask else { return Ok(()) };
        let width = match self.format {
            Format::Ip4 => 32,
            Format::Ip6 => 128,
            _ => 0,
        };
        match packet::Masked::new(0, mask).prefix_length(width) {
            Some(length) if width > 0 => write!(f, "/{length}"),
            _ => write!(f, "/{}", show(mask)),
        }
    }
}

/// Prints a text in double quotes.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            control if control.is_ascii_control() => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
