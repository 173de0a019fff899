//! Converts the JSON notation of values (RFC 7047 section 5.1) into [`Datum`].
//!
//! A value that does not fit its column is kept if a [`Datum`] can express it, and reported as a problem. So the values
//! of a newer or damaged database stay visible.

use serde_json::Value;

use crate::{Atom, AtomType, BaseType, ColumnType, Datum, Uuid};

/// The value of a column, if a [`Datum`] can express it, and the problem with it, if any.
pub(crate) type Decoded = (Option<Datum>, Option<String>);

/// Decodes the JSON text of one column's value.
pub(crate) fn from_text(text: &str, ty: &ColumnType) -> Decoded {
    // Most values are one string or one reference, and need no JSON tree.
    if ty.value.is_none() && ty.max > 0 {
        let atom = match ty.key.kind {
            AtomType::String if text.starts_with('"') => {
                serde_json::from_str(text).ok().map(|text: String| Atom::String(text.into()))
            }
            AtomType::Uuid => text
                .strip_prefix("[\"uuid\",\"")
                .and_then(|rest| rest.strip_suffix("\"]")?.parse().ok())
                .map(Atom::Uuid),
            _ => None,
        };
        if let Some(atom) = atom {
            return (Some(Datum::scalar(atom)), None);
        }
    }
    match serde_json::from_str(text) {
        Ok(value) => from_value(value, ty),
        Err(error) => (None, Some(format!("not an OVSDB value: {error}"))),
    }
}

/// Decodes one column's value.
pub(crate) fn from_value(value: Value, ty: &ColumnType) -> Decoded {
    let mut problem = None;
    let datum = match tagged(value) {
        TaggedValue::Map(pairs) => map(pairs, ty, &mut problem),
        TaggedValue::Set(elements) => set(elements, ty, &mut problem),
        TaggedValue::Other(value) => set(vec![value], ty, &mut problem),
    };
    if let Some(datum) = &datum
        && problem.is_none()
    {
        let as_map = matches!(datum, Datum::Map(_));
        if as_map != ty.is_map() {
            problem = Some(format!("a {}, but the schema has a {}", shape(as_map), shape(ty.is_map())));
        }
    }
    (datum, problem)
}

fn shape(map: bool) -> &'static str {
    if map { "map" } else { "set or scalar" }
}

enum TaggedValue {
    Map(Vec<Value>),
    Set(Vec<Value>),
    Other(Value),
}

/// Distinguishes `["set", [...]]` and `["map", [...]]` from atoms.
fn tagged(value: Value) -> TaggedValue {
    let Value::Array(mut parts) = value else { return TaggedValue::Other(value) };
    if let [Value::String(tag), Value::Array(elements)] = parts.as_mut_slice() {
        match tag.as_str() {
            "set" => return TaggedValue::Set(std::mem::take(elements)),
            "map" => return TaggedValue::Map(std::mem::take(elements)),
            _ => {}
        }
    }
    TaggedValue::Other(Value::Array(parts))
}

fn set(elements: Vec<Value>, ty: &ColumnType, problem: &mut Option<String>) -> Option<Datum> {
    // The empty value of a map column may be an empty set, because RFC 7047 does not distinguish them.
    if elements.is_empty() && ty.is_map() {
        return Some(Datum::Map(Vec::new()));
    }
    let atoms =
        elements.into_iter().map(|value| atom(value, &ty.key, problem)).collect::<Option<Vec<_>>>()?;
    Some(Datum::set(atoms))
}

fn map(pairs: Vec<Value>, ty: &ColumnType, problem: &mut Option<String>) -> Option<Datum> {
    let any = BaseType::plain(AtomType::String);
    let value_type = ty.value.as_ref().unwrap_or(&any);
    let mut atoms = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let Value::Array(parts) = pair else {
            *problem = Some(format!("a map with {} instead of a pair", excerpt(&pair)));
            return None;
        };
        let Ok([key, value]) = <[Value; 2]>::try_from(parts) else {
            *problem = Some("a map with a pair that does not have two elements".to_owned());
            return None;
        };
        atoms.push((atom(key, &ty.key, problem)?, atom(value, value_type, problem)?));
    }
    let count = atoms.len();
    let datum = Datum::map(atoms);
    if datum.len() < count {
        *problem = Some("a map with a duplicate key".to_owned());
    }
    Some(datum)
}

/// Decodes an atom. If it does not have the column's type, it keeps its own type and the mismatch is the problem.
fn atom(value: Value, base: &BaseType, problem: &mut Option<String>) -> Option<Atom> {
    let found = match value {
        Value::String(text) => Atom::String(text.into()),
        Value::Bool(truth) => Atom::Boolean(truth),
        Value::Number(number) => match (number.as_i64(), base.kind) {
            (Some(integer), AtomType::Integer) => Atom::Integer(integer),
            (Some(integer), kind) if kind != AtomType::Real => Atom::Integer(integer),
            _ => Atom::Real(number.as_f64()?),
        },
        other => match uuid(&other) {
            Some(uuid) => Atom::Uuid(uuid),
            None => {
                *problem = Some(format!("{} instead of {}", excerpt(&other), base.kind));
                return None;
            }
        },
    };
    if found.kind() != base.kind {
        *problem = Some(format!("{} {} instead of {}", found.kind(), excerpt(&found.to_json()), base.kind));
    }
    Some(found)
}

fn uuid(value: &Value) -> Option<Uuid> {
    match value.as_array()?.as_slice() {
        [Value::String(tag), Value::String(text)] if tag == "uuid" => text.parse().ok(),
        _ => None,
    }
}

/// Returns the JSON of a value, at most eighty characters of it.
pub(crate) fn excerpt(value: &Value) -> String {
    cut(&value.to_string())
}

/// Returns at most eighty characters of a text.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(key: AtomType, value: Option<AtomType>) -> ColumnType {
        ColumnType { key: BaseType::plain(key), value: value.map(BaseType::plain), min: 0, max: usize::MAX }
    }

    #[test]
    fn values_that_fit_are_decoded() {
        let strings = column(AtomType::String, None);
        for (json, expected) in [
            (r#""a""#, Datum::scalar("a")),
            (r#"["set",[]]"#, Datum::Set(vec![])),
            (r#"["set",["b","a"]]"#, Datum::set(["a", "b"].map(Atom::from))),
        ] {
            assert_eq!(from_text(json, &strings), (Some(expected), None), "{json}");
        }
        let references = column(AtomType::Uuid, None);
        let uuid: Uuid = "550e8400-e29b-41d4-a716-446655440000".parse().unwrap();
        let json = r#"["uuid","550e8400-e29b-41d4-a716-446655440000"]"#;
        assert_eq!(from_text(json, &references), (Some(Datum::scalar(uuid)), None));
        let counters = column(AtomType::String, Some(AtomType::Integer));
        let (datum, problem) = from_text(r#"["map",[["rx",1]]]"#, &counters);
        assert_eq!(datum.unwrap().value_of(&"rx".into()), Some(&Atom::Integer(1)));
        assert_eq!(problem, None);
        let reals = column(AtomType::Real, None);
        assert_eq!(from_text("2", &reals), (Some(Datum::Set(vec![Atom::Real(2.0)])), None));
    }

    #[test]
    fn values_that_do_not_fit_are_kept() {
        let integers = column(AtomType::Integer, None);
        let (datum, problem) = from_text(r#""ten""#, &integers);
        assert_eq!(datum, Some(Datum::scalar("ten")));
        assert_eq!(problem.unwrap(), r#"string "ten" instead of integer"#);
        let (datum, problem) = from_text(r#"["map",[["a","b"]]]"#, &column(AtomType::String, None));
        assert_eq!(datum.unwrap().len(), 1);
        assert_eq!(problem.unwrap(), "a map, but the schema has a set or scalar");
    }

    #[test]
    fn values_that_cannot_be_expressed_are_problems() {
        let integers = column(AtomType::Integer, None);
        for json in ["{}", "null", r#"["named-uuid","x"]"#, r#"["map",[1]]"#, "1x", "", &"[".repeat(1000)] {
            let (datum, problem) = from_text(json, &integers);
            assert!(datum.is_none() && problem.is_some(), "{json}");
        }
    }
}
