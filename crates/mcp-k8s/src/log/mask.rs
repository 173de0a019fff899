//! Masks the numbers, addresses and identifiers of a line, so that lines with the same message have the same template.
//!
//! Each line is masked by itself, so the order of lines does not matter.

use std::net::Ipv6Addr;

/// Returns the text with placeholders for the parts that change between lines: `<n>` for numbers, `<ip>`, `<mac>`,
/// `<uuid>`, `<hex>`, `<time>` and `<id>`.
pub(crate) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !is_word(first) {
            masked.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        word_into(word, &mut masked);
        rest = after;
    }
    masked
}

/// Checks whether a character can be part of an address, a name or a number.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')
}

fn word_into(word: &str, masked: &mut String) {
    let bare = word.trim_end_matches(['.', ':', '-']);
    let tail = word.get(bare.len()..).unwrap_or_default();
    if !bare.bytes().any(|byte| byte.is_ascii_digit() || byte == b':') && !bare.contains('-') {
        masked.push_str(word);
        return;
    }
    match whole(bare) {
        Some(mark) => masked.push_str(mark),
        None => parts_into(bare, masked),
    }
    masked.push_str(tail);
}

/// Returns the placeholder for a word that is a single value.
fn whole(word: &str) -> Option<&'static str> {
    let hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let groups = || word.split('-').map(str::len);
    if word.len() == 36 && groups().eq([8, 4, 4, 4, 12]) && word.split('-').all(hex) {
        return Some("<uuid>");
    }
    if word.contains(':') {
        let parts = || word.split(':');
        if parts().count() == 6 && parts().all(|part| part.len() == 2 && hex(part)) {
            return Some("<mac>");
        }
        if word.parse::<Ipv6Addr>().is_ok() {
            return Some("<ip>");
        }
        if let Some((address, port)) = word.rsplit_once(':')
            && is_ipv4(address)
            && number(port)
        {
            return Some("<ip>:<n>");
        }
        let clock = |part: &str| part.split('.').all(number);
        if parts().count() == 3 && parts().all(clock) {
            return Some("<time>");
        }
    }
    if word.len() >= 20 && word.get(4..5) == Some("-") && word.contains('T') && word.ends_with('Z') {
        return Some("<time>");
    }
    if is_ipv4(word) {
        return Some("<ip>");
    }
    let digits = word.trim_start_matches('-');
    let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if unit.len() < digits.len()
        && (unit.is_empty() || ["s", "ms", "us", "ns", "kB", "B", "m", "h", "x", "Mi", "Gi"].contains(&unit))
    {
        return Some("<n>");
    }
    if word.strip_prefix("0x").is_some_and(hex) {
        return Some("<hex>");
    }
    (word.len() >= 12 && hex(word) && word.bytes().any(|byte| byte.is_ascii_digit())).then_some("<hex>")
}

fn is_ipv4(word: &str) -> bool {
    word.split('.').count() == 4 && word.split('.').all(|part| part.len() <= 3 && number(part))
}

fn number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Masks the parts of a name that Kubernetes generated, and long numbers. Generated parts are five letters of
/// `rand.String` and the pod template hash before them.
fn parts_into(word: &str, masked: &mut String) {
    let made_up = |part: &str| part.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
    let digit = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = word.split('-').collect();
    let last = parts.len().saturating_sub(1);
    let random = parts.get(last).filter(|part| last > 0 && part.len() == 5 && made_up(part)).is_some();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            masked.push('-');
        }
        let template = random
            && at + 1 == last
            && at > 0
            && (8..=10).contains(&part.len())
            && made_up(part)
            && digit(part);
        if (random && at == last) || template {
            masked.push_str("<id>");
        } else {
            long_numbers_into(part, masked);
        }
    }
}

/// Masks long numbers. `a12345678901234567890` is the generated name of an address set, but `eth0`, `v1` and `worker2`
/// are significant names.
fn long_numbers_into(text: &str, masked: &mut String) {
    const LONG: usize = 4;
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (before, after) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = after.split_at_checked(digits).unwrap_or((after, ""));
        masked.push_str(before);
        // The number stands alone if no letter is next to it: `:443`, `a.443`.
        let alone = !before.ends_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && !after.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_line = before.ends_with(".go:");
        masked.push_str(if digits.is_empty() || is_line || !(digits.len() > LONG || alone) {
            digits
        } else {
            "<n>"
        });
        rest = after;
    }
}
