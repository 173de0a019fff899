//! Prints values as the clients do (`ovn-nbctl(8)`, "Database Values").

use std::fmt::Write as _;

use crate::{Atom, ColumnType, Datum, Uuid};

/// Prints a column's value: a bare atom if the column has at most one, `[a, b]` for sets, `{k=v}` for maps, `[]` and
/// `{}` for empty sets and maps.
#[must_use]
pub fn value(datum: &Datum, ty: &ColumnType) -> String {
    let mut out = String::new();
    // A value that does not fit the schema is printed with all its elements.
    let bare = ty.max <= 1 && datum.len() == 1;
    let (open, close) = if matches!(datum, Datum::Map(_)) || (datum.is_empty() && ty.is_map()) {
        ('{', '}')
    } else {
        ('[', ']')
    };
    if !bare {
        out.push(open);
    }
    let mut comma = "";
    for element in datum.atoms() {
        out.push_str(comma);
        write_atom(&mut out, element);
        comma = ", ";
    }
    for (key, value) in datum.pairs() {
        out.push_str(comma);
        write_atom(&mut out, key);
        out.push('=');
        write_atom(&mut out, value);
        comma = ", ";
    }
    if !bare {
        out.push(close);
    }
    out
}

/// Prints one atom. A string is in double quotes unless it is a plain word.
#[must_use]
pub fn atom(atom: &Atom) -> String {
    let mut out = String::new();
    write_atom(&mut out, atom);
    out
}

fn write_atom(out: &mut String, atom: &Atom) {
    // Writing to a string cannot fail.
    let _ = match atom {
        Atom::Integer(number) => write!(out, "{number}"),
        Atom::Boolean(truth) => write!(out, "{truth}"),
        Atom::Uuid(uuid) => write!(out, "{uuid}"),
        Atom::Real(number) => {
            out.push_str(&real(*number));
            Ok(())
        }
        Atom::String(text) if is_word(text) => {
            out.push_str(text);
            Ok(())
        }
        Atom::String(text) => {
            quote(out, text);
            Ok(())
        }
    };
}

/// Returns true if a string needs no quotes: it consists of a letter or underscore, then letters, digits, underscores,
/// hyphens and periods, and it is neither a boolean nor a UUID.
fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && text != "true"
        && text != "false"
        && text.parse::<Uuid>().is_err()
}

/// Writes a JSON string, with the escapes that OVSDB uses.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Prints a real number like C's `%.15g`: fifteen significant digits without trailing zeros, and with an exponent if it
/// is below -4 or above 14.
fn real(number: f64) -> String {
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let scientific = format!("{number:.14e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..15).contains(&exponent) {
        let places = usize::try_from(14 - exponent).unwrap_or_default();
        trimmed(&format!("{number:.places$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(digits), exponent.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_when_necessary() {
        for (text, expected) in [
            ("web", "web"),
            ("_a-b.c9", "_a-b.c9"),
            ("", "\"\""),
            ("3ea5", "\"3ea5\""),
            ("true", "\"true\""),
            ("a b", "\"a b\""),
            ("ac4d40a4-48c2-46ec-9907-f99d742a968a", "\"ac4d40a4-48c2-46ec-9907-f99d742a968a\""),
            ("a\"\\\n\u{1}é/", "\"a\\\"\\\\\\n\\u0001é/\""),
        ] {
            assert_eq!(atom(&text.into()), expected);
        }
    }

    #[test]
    fn real_numbers_are_printed_like_in_c() {
        for (number, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (0.1 + 0.2, "0.3"),
            (1e15, "1e+15"),
            (1e-5, "1e-05"),
            (123_456.789, "123456.789"),
            (-2.5e-10, "-2.5e-10"),
        ] {
            assert_eq!(atom(&Atom::Real(number)), expected);
        }
    }
}
