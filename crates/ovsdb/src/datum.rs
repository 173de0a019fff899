//! Values: atoms, and the sets and maps of atoms that columns hold (RFC 7047 section 5.1).

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Value, json};

use crate::Uuid;

/// The five atomic types (RFC 7047 section 3.2, `<atomic-type>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomType {
    /// A 64-bit signed integer.
    Integer,
    /// A double-precision floating-point number.
    Real,
    /// `true` or `false`.
    Boolean,
    /// Unicode text.
    String,
    /// The identity of a row.
    Uuid,
}

impl fmt::Display for AtomType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Uuid => "uuid",
        })
    }
}

/// One value (RFC 7047 section 5.1, `<atom>`).
///
/// Atoms of one type are ordered as OVSDB orders them in sets and maps: numbers by size, strings by their bytes,
/// UUIDs as numbers.
#[derive(Clone, Debug)]
pub enum Atom {
    /// A 64-bit signed integer.
    Integer(i64),
    /// A double-precision floating-point number.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Unicode text.
    String(Box<str>),
    /// The identity of a row.
    Uuid(Uuid),
}

impl Atom {
    /// The atom's type.
    #[must_use]
    pub const fn kind(&self) -> AtomType {
        match self {
            Self::Integer(_) => AtomType::Integer,
            Self::Real(_) => AtomType::Real,
            Self::Boolean(_) => AtomType::Boolean,
            Self::String(_) => AtomType::String,
            Self::Uuid(_) => AtomType::Uuid,
        }
    }

    /// What a column of this type holds when nothing was ever written to it (RFC 7047 section 5.2.1): zero, false,
    /// empty.
    #[must_use]
    pub fn default_of(kind: AtomType) -> Self {
        match kind {
            AtomType::Integer => Self::Integer(0),
            AtomType::Real => Self::Real(0.0),
            AtomType::Boolean => Self::Boolean(false),
            AtomType::String => Self::String("".into()),
            AtomType::Uuid => Self::Uuid(Uuid::default()),
        }
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is an integer.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The truth, if it is a boolean.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(truth) = self { Some(*truth) } else { None }
    }

    /// The row that it refers to, if it is a UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> Option<Uuid> {
        if let Self::Uuid(uuid) = self { Some(*uuid) } else { None }
    }

    /// In the notation of RFC 7047 section 5.1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Integer(number) => json!(number),
            Self::Real(number) => json!(number),
            Self::Boolean(truth) => json!(truth),
            Self::String(text) => json!(text),
            Self::Uuid(uuid) => json!(["uuid", uuid.to_string()]),
        }
    }
}

impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            // Only a damaged value mixes types: any order will do, as long as it is one.
            _ => (self.kind() as u8).cmp(&(other.kind() as u8)),
        }
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Atom {}

impl From<&str> for Atom {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<i64> for Atom {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Atom {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<Uuid> for Atom {
    fn from(uuid: Uuid) -> Self {
        Self::Uuid(uuid)
    }
}

/// What a column holds: a set of atoms (a scalar is a set of exactly one) or a map.
///
/// Both are sorted and free of duplicates; [`Datum::set`] and [`Datum::map`] see to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// Atoms, in order.
    Set(Vec<Atom>),
    /// Keys with their values, in order of the keys.
    Map(Vec<(Atom, Atom)>),
}

impl Datum {
    /// A set of these atoms, in any order.
    pub fn set(atoms: impl IntoIterator<Item = Atom>) -> Self {
        let mut atoms: Vec<Atom> = atoms.into_iter().collect();
        atoms.sort_unstable();
        atoms.dedup();
        Self::Set(atoms)
    }

    /// A map of these pairs, in any order; of two values under one key the first stays.
    pub fn map(pairs: impl IntoIterator<Item = (Atom, Atom)>) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        Self::Map(pairs)
    }

    /// A set of one.
    pub fn scalar(atom: impl Into<Atom>) -> Self {
        Self::Set(vec![atom.into()])
    }

    /// How many elements or pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Set(atoms) => atoms.len(),
            Self::Map(pairs) => pairs.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The only element of a set of one; nothing for other sets and for maps.
    #[must_use]
    pub fn single(&self) -> Option<&Atom> {
        match self {
            Self::Set(atoms) => match atoms.as_slice() {
                [atom] => Some(atom),
                _ => None,
            },
            Self::Map(_) => None,
        }
    }

    /// The elements of a set, in order; none for a map.
    #[must_use]
    pub fn atoms(&self) -> &[Atom] {
        match self {
            Self::Set(atoms) => atoms,
            Self::Map(_) => &[],
        }
    }

    /// The pairs of a map, in order of the keys; none for a set.
    #[must_use]
    pub fn pairs(&self) -> &[(Atom, Atom)] {
        match self {
            Self::Set(_) => &[],
            Self::Map(pairs) => pairs,
        }
    }

    /// The value under a key of a map.
    #[must_use]
    pub fn value_of(&self, key: &Atom) -> Option<&Atom> {
        let pairs = self.pairs();
        let at = pairs.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        pairs.get(at).map(|(_, value)| value)
    }

    /// Whether every element (or pair) of `other` is also here: `includes` of RFC 7047 section 5.1.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.atoms().iter().all(|atom| self.atoms().binary_search(atom).is_ok())
            && other.pairs().iter().all(|(key, value)| self.value_of(key) == Some(value))
    }

    /// Whether no element (or pair) of `other` is also here: `excludes` of RFC 7047 section 5.1.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        !other.atoms().iter().any(|atom| self.atoms().binary_search(atom).is_ok())
            && !other.pairs().iter().any(|(key, value)| self.value_of(key) == Some(value))
    }

    /// In the notation of RFC 7047 section 5.1, a set of one written as its element.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Set(atoms) => match atoms.as_slice() {
                [atom] => atom.to_json(),
                _ => json!(["set", atoms.iter().map(Atom::to_json).collect::<Vec<_>>()]),
            },
            Self::Map(pairs) => {
                let pairs: Vec<Value> =
                    pairs.iter().map(|(k, v)| json!([k.to_json(), v.to_json()])).collect();
                json!(["map", pairs])
            }
        }
    }

    /// The value after a change that a file recorded as a difference.
    ///
    /// A transaction marked `_is_diff` holds, for a column of several elements, only what differs: elements (or
    /// pairs) that appeared or went, and pairs with their new value. This is the `update2` notation of
    /// `ovsdb-server(7)`, section 4.1.14.
    #[must_use]
    pub(crate) fn with_difference(self, difference: Self) -> Self {
        match (self, difference) {
            (Self::Set(mut atoms), Self::Set(toggled)) => {
                for atom in toggled {
                    match atoms.binary_search(&atom) {
                        Ok(at) => drop(atoms.remove(at)),
                        Err(at) => atoms.insert(at, atom),
                    }
                }
                Self::Set(atoms)
            }
            (Self::Map(mut pairs), Self::Map(changed)) => {
                for (key, value) in changed {
                    match pairs.binary_search_by(|(k, _)| k.cmp(&key)) {
                        Ok(at) if pairs.get(at).is_some_and(|(_, v)| *v == value) => drop(pairs.remove(at)),
                        Ok(at) => pairs.iter_mut().skip(at).take(1).for_each(|pair| pair.1 = value.clone()),
                        Err(at) => pairs.insert(at, (key, value)),
                    }
                }
                Self::Map(pairs)
            }
            (_, difference) => difference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> Datum {
        Datum::set(words.iter().map(|word| Atom::from(*word)))
    }

    fn map(pairs: &[(&str, &str)]) -> Datum {
        Datum::map(pairs.iter().map(|(k, v)| (Atom::from(*k), Atom::from(*v))))
    }

    #[test]
    fn sorted_by_bytes() {
        assert_eq!(
            set(&["b", "a", "B", "é", "a"]),
            Datum::Set(["B", "a", "b", "é"].map(Atom::from).to_vec())
        );
    }

    #[test]
    fn differences_of_sets_toggle() {
        assert_eq!(set(&["a", "b"]).with_difference(set(&["b", "c"])), set(&["a", "c"]));
    }

    #[test]
    fn differences_of_maps_add_change_and_remove() {
        let before = map(&[("same", "1"), ("gone", "2"), ("changed", "3")]);
        let after = before.with_difference(map(&[("gone", "2"), ("changed", "4"), ("new", "5")]));
        assert_eq!(after, map(&[("same", "1"), ("changed", "4"), ("new", "5")]));
    }

    #[test]
    fn includes_and_excludes_look_at_pairs() {
        let column = map(&[("a", "1"), ("b", "2")]);
        assert!(column.includes(&map(&[("a", "1")])) && !column.includes(&map(&[("a", "2")])));
        assert!(column.excludes(&map(&[("a", "2")])) && !column.excludes(&map(&[("a", "2"), ("b", "2")])));
    }
}
