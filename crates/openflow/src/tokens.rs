//! The lists that Open vSwitch prints: `a=1,b(c=2,d=3),"e,f"`.

/// Splits a list into its parts. Commas within brackets or quotes do not separate parts. Each part is trimmed, empty
/// parts are left out, and no other part is lost.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        loop {
            let now = rest?;
            let end = end(now);
            let part = now.get(..end).unwrap_or(now).trim();
            rest = now.get(end + 1..);
            if !part.is_empty() {
                return Some(part);
            }
            rest?;
        }
    })
}

/// Returns the end of the first part: a comma, or the end of the text.
fn end(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// Whether brackets are nested more deeply than the actions that Open vSwitch accepts (`MAX_OFPACT_PARSE_DEPTH` in
/// ofp-actions.h). Parsers call themselves for each round or curly bracket, so deeper text is not parsed.
pub fn is_too_deep(text: &str) -> bool {
    const DEEPEST: usize = 100;
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

/// Splits `name=value`, `name:value` or `name(value)` at the sign that comes first. A part without a sign is a name
/// alone.
pub fn name_and_value<'a>(part: &'a str, signs: &[char]) -> (&'a str, Option<&'a str>) {
    match part.find(signs) {
        Some(at) => {
            let (name, value) = (part.get(..at).unwrap_or(part), part.get(at + 1..).unwrap_or_default());
            let bracket = part.get(at..).is_some_and(|rest| rest.starts_with('('));
            (name, Some(if bracket { value.strip_suffix(')').unwrap_or(value) } else { value }))
        }
        None => (part, None),
    }
}

/// Parses a number as Open vSwitch prints it: decimal, or hexadecimal after `0x`.
pub fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Parses a number of the form `value/mask`. Without a mask all bits count.
pub fn masked(text: &str) -> Option<(u64, u64)> {
    match text.split_once('/') {
        Some((value, mask)) => Some((number(value)?, number(mask)?)),
        None => Some((number(text)?, u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brackets_and_quotes_hold_a_part_together() {
        let parts = |text| split(text).collect::<Vec<_>>();
        assert_eq!(
            parts("ct(commit,zone=1,nat(src=1.2.3.4)),\"a,b\", c={x,y} ,,d"),
            ["ct(commit,zone=1,nat(src=1.2.3.4))", "\"a,b\"", "c={x,y}", "d"]
        );
        assert_eq!(name_and_value("tunnel(a=1,b=2)", &['(', ':', '=']), ("tunnel", Some("a=1,b=2")));
        assert_eq!(name_and_value("used:never", &['(', ':', '=']), ("used", Some("never")));
        assert_eq!(name_and_value("tcp", &['=']), ("tcp", None));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in ".*|[a-c,(){}\"\\\\=]{0,40}") {
            let strip = |text: &str| text.chars().filter(|c| *c != ',' && !c.is_whitespace()).collect::<String>();
            let parts: String = split(&text).collect();
            prop_assert_eq!(strip(&parts), strip(&text));
        }
    }
}
