//! Parses values as people write them (`ovn-nbctl(8)`, "Database Values").

use crate::{Atom, AtomType, BaseType, ColumnType, Datum};

/// Parses the value of a column of this type. The error says which value the column expects.
///
/// Unlike in the clients, text without brackets or braces is one element and needs no quotes:
/// `0a:58:0a:f4:00:03 10.244.0.3`.
pub(crate) fn datum(text: &str, ty: &ColumnType) -> Result<Datum, String> {
    let Some(value_type) = &ty.value else {
        return match enclosed(text, '[', ']') {
            Some(list) if !ty.is_scalar() => {
                let elements = words(list)?;
                Ok(Datum::set(
                    elements.iter().map(|word| atom(word, &ty.key)).collect::<Result<Vec<_>, _>>()?,
                ))
            }
            _ => Ok(Datum::scalar(atom(text, &ty.key)?)),
        };
    };
    let list;
    let pairs = match enclosed(text, '{', '}') {
        Some(inner) => {
            list = words(inner)?;
            list.as_slice()
        }
        None => std::slice::from_ref(&text),
    };
    let pair = |word: &&str| {
        let (key, value) = split_pair(word).ok_or_else(|| "a map needs key=value".to_owned())?;
        Ok::<_, String>((atom(key, &ty.key)?, atom(value, value_type)?))
    };
    Ok(Datum::map(pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?))
}

/// Parses an atom. Double quotes around a string are optional.
pub(crate) fn atom(text: &str, base: &BaseType) -> Result<Atom, String> {
    let word = text.trim();
    let atom = match base.kind {
        AtomType::String => Atom::String(unquoted(text).into()),
        AtomType::Integer => {
            Atom::Integer(word.parse().map_err(|_| "the column needs an integer".to_owned())?)
        }
        AtomType::Real => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Atom::Real(number),
            _ => return Err("the column needs a number".to_owned()),
        },
        AtomType::Boolean => match word {
            "true" => Atom::Boolean(true),
            "false" => Atom::Boolean(false),
            _ => return Err("the column needs true or false".to_owned()),
        },
        AtomType::Uuid => {
            Atom::Uuid(word.parse().map_err(|_| "the column needs a complete UUID".to_owned())?)
        }
    };
    if base.allowed.is_empty() || base.allowed.contains(&atom) {
        return Ok(atom);
    }
    let allowed: Vec<String> = base.allowed.iter().map(crate::print::atom).collect();
    Err(format!("the allowed values are {}", allowed.join(", ")))
}

/// Returns the contents of a JSON string, or the text itself if it is not a JSON string.
fn unquoted(text: &str) -> String {
    let quoted = text.trim();
    match quoted.starts_with('"').then(|| serde_json::from_str::<String>(quoted)) {
        Some(Ok(inner)) => inner,
        _ => text.to_owned(),
    }
}

fn enclosed(text: &str, open: char, close: char) -> Option<&str> {
    text.trim().strip_prefix(open)?.strip_suffix(close)
}

/// Splits a list into words, at commas and spaces outside of quotes.
pub(crate) fn words(list: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (at, letter) in list.char_indices().chain([(list.len(), ',')]) {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' | ' ' if !quoted => {
                found.extend(list.get(start..at).filter(|word| !word.is_empty()));
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(found) }
}

/// Splits `key=value` at the first `=` outside of quotes.
pub(crate) fn split_pair(word: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    let at = word.char_indices().find_map(|(at, letter)| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '=' if !quoted => return Some(at),
            _ => {}
        }
        None
    })?;
    Some((word.get(..at)?, word.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(key: AtomType, value: Option<AtomType>, max: usize) -> ColumnType {
        ColumnType { key: BaseType::plain(key), value: value.map(BaseType::plain), min: 0, max }
    }

    fn set(words: &[&str]) -> Datum {
        Datum::set(words.iter().map(|word| Atom::from(*word)))
    }

    #[test]
    fn sets_are_parsed() {
        let strings = column(AtomType::String, None, usize::MAX);
        for (text, expected) in [
            ("a", set(&["a"])),
            ("0a:58:0a:f4:00:03 10.244.0.3", set(&["0a:58:0a:f4:00:03 10.244.0.3"])),
            ("\"a\"", set(&["a"])),
            ("", set(&[""])),
            ("[]", set(&[])),
            ("[a, b]", set(&["a", "b"])),
            ("[a b,\"c, \\\"d\"]", set(&["a", "b", "c, \"d"])),
        ] {
            assert_eq!(datum(text, &strings), Ok(expected), "{text}");
        }
        assert!(datum("[\"a]", &strings).is_err());
        assert!(datum("x", &column(AtomType::Integer, None, 1)).is_err());
    }

    #[test]
    fn maps_are_parsed() {
        let strings = column(AtomType::String, Some(AtomType::String), usize::MAX);
        let map =
            |pairs: &[(&str, &str)]| Datum::map(pairs.iter().map(|(k, v)| (Atom::from(*k), Atom::from(*v))));
        for (text, expected) in [
            ("a=b", map(&[("a", "b")])),
            ("a=b=c", map(&[("a", "b=c")])),
            ("{}", map(&[])),
            ("{a=b, \"c=d\"=\"e f\"}", map(&[("a", "b"), ("c=d", "e f")])),
        ] {
            assert_eq!(datum(text, &strings), Ok(expected), "{text}");
        }
        assert!(datum("a", &strings).is_err());
    }
}
