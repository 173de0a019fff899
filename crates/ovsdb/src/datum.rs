//! Values: atoms, and the sets and maps of atoms in columns (RFC 7047 section 5.1).

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
    /// The UUID of a row.
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
/// Atoms of one type have the order that OVSDB uses in sets and maps: numbers by value, strings by their bytes, UUIDs
/// as numbers.
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
    /// The UUID of a row.
    Uuid(Uuid),
}

impl Atom {
    /// Returns the atom's type.
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

    /// Returns the default value of a type (RFC 7047 section 5.2.1): zero, false or empty.
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

    /// Returns the text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// Returns the number of an integer.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// Returns the value of a boolean.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(truth) = self { Some(*truth) } else { None }
    }

    /// Returns the UUID of a reference.
    #[must_use]
    pub const fn as_uuid(&self) -> Option<Uuid> {
        if let Self::Uuid(uuid) = self { Some(*uuid) } else { None }
    }

    /// Returns the atom in the notation of RFC 7047 section 5.1.
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
            // Only a damaged value mixes types. Any total order is good enough for it.
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

/// The value of a column: a set of atoms (a scalar is a set of exactly one atom) or a map.
///
/// Both are sorted and have no duplicates, which [`Datum::set`] and [`Datum::map`] ensure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// The atoms of a set, in order.
    Set(Vec<Atom>),
    /// The keys and values of a map, in the order of the keys.
    Map(Vec<(Atom, Atom)>),
}

impl Datum {
    /// Creates a set from atoms in any order.
    pub fn set(atoms: impl IntoIterator<Item = Atom>) -> Self {
        let mut atoms: Vec<Atom> = atoms.into_iter().collect();
        atoms.sort_unstable();
        atoms.dedup();
        Self::Set(atoms)
    }

    /// Creates a map from pairs in any order. If two pairs have the same key, the first one is kept.
    pub fn map(pairs: impl IntoIterator<Item = (Atom, Atom)>) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        Self::Map(pairs)
    }

    /// Creates a set of one atom.
    pub fn scalar(atom: impl Into<Atom>) -> Self {
        Self::Set(vec![atom.into()])
    }

    /// Returns the number of elements or pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Set(atoms) => atoms.len(),
            Self::Map(pairs) => pairs.len(),
        }
    }

    /// Returns true if there are no elements or pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the element of a set of one, or `None` for other sets and for maps.
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

    /// Returns the elements of a set in order. Empty for a map.
    #[must_use]
    pub fn atoms(&self) -> &[Atom] {
        match self {
            Self::Set(atoms) => atoms,
            Self::Map(_) => &[],
        }
    }

    /// Returns the pairs of a map in the order of the keys. Empty for a set.
    #[must_use]
    pub fn pairs(&self) -> &[(Atom, Atom)] {
        match self {
            Self::Set(_) => &[],
            Self::Map(pairs) => pairs,
        }
    }

    /// Returns the value under a key of a map.
    #[must_use]
    pub fn value_of(&self, key: &Atom) -> Option<&Atom> {
        let pairs = self.pairs();
        let at = pairs.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        pairs.get(at).map(|(_, value)| value)
    }

    /// Returns true if this value contains every element (or pair) of `other`: `includes` of RFC 7047 section 5.1.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.atoms().iter().all(|atom| self.atoms().binary_search(atom).is_ok())
            && other.pairs().iter().all(|(key, value)| self.value_of(key) == Some(value))
    }

    /// Returns true if this value contains no element (or pair) of `other`: `excludes` of RFC 7047 section 5.1.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        !other.atoms().iter().any(|atom| self.atoms().binary_search(atom).is_ok())
            && !other.pairs().iter().any(|(key, value)| self.value_of(key) == Some(value))
    }

    /// Returns the value in the notation of RFC 7047 section 5.1. A set of one is written as its element.
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

    /// Applies a change that a file recorded as a difference.
    ///
    /// For a column of several elements, a transaction marked `_is_diff` contains only the differences: elements (or
    /// pairs) that were added or removed, and pairs with a new value. This is the `update2` notation of
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
    fn sets_are_sorted_by_bytes() {
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
    fn includes_and_excludes_compare_pairs() {
        let column = map(&[("a", "1"), ("b", "2")]);
        assert!(column.includes(&map(&[("a", "1")])) && !column.includes(&map(&[("a", "2")])));
        assert!(column.excludes(&map(&[("a", "2")])) && !column.excludes(&map(&[("a", "2"), ("b", "2")])));
    }
}
