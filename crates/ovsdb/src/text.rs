//! Values as people write them (`ovn-nbctl(8)`, "Database Values").

use crate::{Atom, AtomType, BaseType, ColumnType, Datum};

/// The value that `text` means for a column of this type; the error says what it should have been.
///
/// Unlike the clients, text outside of brackets and braces is one element as it is: `0a:58:0a:f4:00:03 10.244.0.3`
/// needs no quotes.
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
        let (key, value) = split_pair(word).ok_or_else(|| "a map takes key=value".to_owned())?;
        Ok::<_, String>((atom(key, &ty.key)?, atom(value, value_type)?))
    };
    Ok(Datum::map(pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?))
}

/// The atom that `text` means; strings may, and need not, stand in double quotes.
pub(crate) fn atom(text: &str, base: &BaseType) -> Result<Atom, String> {
    let word = text.trim();
    let atom = match base.kind {
        AtomType::String => Atom::String(unquoted(text).into()),
        AtomType::Integer => Atom::Integer(word.parse().map_err(|_| "an integer is needed".to_owned())?),
        AtomType::Real => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Atom::Real(number),
            _ => return Err("a number is needed".to_owned()),
        },
        AtomType::Boolean => match word {
            "true" => Atom::Boolean(true),
            "false" => Atom::Boolean(false),
            _ => return Err("true or false is needed".to_owned()),
        },
        AtomType::Uuid => Atom::Uuid(word.parse().map_err(|_| "a whole UUID is needed".to_owned())?),
    };
    if base.allowed.is_empty() || base.allowed.contains(&atom) {
        return Ok(atom);
    }
    let allowed: Vec<String> = base.allowed.iter().map(crate::print::atom).collect();
    Err(format!("only {} are allowed", allowed.join(", ")))
}

/// The text of a JSON string, or the text itself if it is none.
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

/// The words of a list, separated by commas or spaces outside of quotes.
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
    fn sets() {
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
    fn maps() {
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
