//! The tokens of the filter language, with the rules of libpcap's scanner: the longest token wins, so `len-4` is one
//! name, and `2001:db8::1` and `0a:58:0a:f4:00:04` are one token each.

use super::BadFilter;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A token and its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    /// The first byte of the token in the text.
    pub(super) at: usize,
    /// For an opening parenthesis the index of the token after its closing one, otherwise the index of the next token.
    pub(super) after: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A keyword or another name.
    Name(&'a str),
    /// A name after a backslash, without the backslash.
    Escaped(&'a str),
    /// A decimal or hexadecimal number, and whether it is hexadecimal.
    Number(u32, bool),
    /// The first two, three or four bytes of an IPv4 address, and how many there are. The others are zero.
    Dotted(Ipv4Addr, u8),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// The address of a network card.
    Mac([u8; 6]),
    /// An operator or a bracket.
    Sign(&'a str),
}

const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<<", ">>", "<", ">", "=", "!", "(", ")", "[", "]", ":", "+", "-",
    "*", "/", "%", "&", "|", "^",
];

/// Splits a text into its tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, BadFilter> {
    let mut tokens = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start_matches(' ').len();
        let rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            break;
        }
        let (kind, length) = token(rest, at)?;
        let index = tokens.len();
        match kind {
            Kind::Sign("(") => open.push(index),
            Kind::Sign(")") => {
                let first =
                    open.pop().ok_or_else(|| BadFilter::wanted("an opening parenthesis", rest, at))?;
                if let Some(Token { after, .. }) = tokens.get_mut(first) {
                    *after = index + 1;
                }
            }
            _ => {}
        }
        tokens.push(Token { kind, at, after: index + 1 });
        at += length;
    }
    match open.is_empty() {
        true => Ok(tokens),
        false => Err(BadFilter::wanted("`)`", "", text.len())),
    }
}

/// Returns the first token of a text that does not begin with a space, and its length.
fn token(rest: &str, at: usize) -> Result<(Kind<'_>, usize), BadFilter> {
    let run = |is_part: fn(char) -> bool| {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    };
    let hex = run(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
    if hex.matches(':').count() > 1 {
        let address = hex.parse().map(Kind::V6).ok().or_else(|| mac(hex, ':').map(Kind::Mac));
        return address.map(|address| (address, hex.len())).ok_or_else(|| {
            BadFilter::refused(hex, at, "this is neither an IPv6 address nor the address of a network card")
        });
    }
    if let Some(name) = rest.strip_prefix('\\') {
        let end = name.find([' ', '!', '(', ')']).unwrap_or(name.len());
        let name = name.get(..end).unwrap_or_default();
        return match name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !name.is_empty() {
            true => Ok((Kind::Escaped(name), end + 1)),
            false => Err(BadFilter::refused(
                rest,
                at,
                "after a backslash comes the name of a protocol, and then a space",
            )),
        };
    }
    if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let word = run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let word = word.trim_end_matches(['-', '_']);
        return Ok((self::word(word, at)?, word.len()));
    }
    let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
    let bad = || BadFilter::Character { found: rest.chars().take(1).collect(), at };
    sign.map(|sign| (Kind::Sign(sign), sign.len())).ok_or_else(bad)
}

/// Returns the kind of a word, which begins with a letter or a digit.
fn word(word: &str, at: usize) -> Result<Kind<'_>, BadFilter> {
    if let Some(mac) = mac(word, '-') {
        return Ok(Kind::Mac(mac));
    }
    let (digits, radix) = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (word, 10),
    };
    if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
        if radix == 10 && word.len() > 1 && word.starts_with('0') {
            return Err(BadFilter::refused(
                word,
                at,
                "a number that begins with 0 is octal here: remove the 0",
            ));
        }
        let number = u32::from_str_radix(digits, radix);
        let number = number.map_err(|_| BadFilter::refused(word, at, "the number is larger than 32 bits"))?;
        return Ok(Kind::Number(number, radix == 16));
    }
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = word.split('.').collect();
    if parts.len() < 2 || !parts.iter().all(|part| numeric(part)) {
        return Ok(Kind::Name(word));
    }
    let given = parts.len();
    let full = parts.into_iter().chain(std::iter::repeat_n("0", 4usize.saturating_sub(given)));
    let address = full.collect::<Vec<_>>().join(".").parse();
    match (address, u8::try_from(given)) {
        (Ok(address), Ok(given)) => Ok(Kind::Dotted(address, given)),
        _ => Err(BadFilter::refused(word, at, "this is not an IPv4 address")),
    }
}

fn mac(text: &str, separator: char) -> Option<[u8; 6]> {
    let bytes = text.split(separator).map(|byte| {
        let fits = (1..=2).contains(&byte.len()) && byte.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| u8::from_str_radix(byte, 16).ok()).flatten()
    });
    bytes.collect::<Option<Vec<_>>>()?.try_into().ok()
}
