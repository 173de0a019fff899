//! Objects from a file.
//!
//! Lists are read one object at a time, so that those which nobody asked for are never all in memory; managed fields,
//! half of many objects, are skipped while reading.

use crate::Deadline;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Budget, Error, Options};
use std::fmt;

/// Gives each object of a file: of a list its items, else the one that it is.
///
/// # Errors
/// When the call is over for which it is read. Also where the file was cut at a place at which it is still YAML: collectors
/// end every file with a line feed, and every list with its kind.
pub(in crate::backend::bundle) fn each(bytes: &[u8], mut take: impl FnMut(Value)) -> Result<(), Error> {
    let deadline = Deadline::current();
    let read = |deserializer: serde_saphyr::Deserializer<'_, '_>| {
        deserializer.deserialize_any(File(&mut take, &deadline))
    };
    serde_saphyr::with_deserializer_from_slice_with_options(bytes, options(), read)?;
    // A document of JSON ends with the bracket that it begins with, and is not read without it.
    let is_json = bytes.trim_ascii().first().is_some_and(|first| matches!(first, b'{' | b'['));
    if is_json || bytes.ends_with(b"\n") {
        return Ok(());
    }
    Err(serde::de::Error::custom("the file was cut: it ends in the middle of a line"))
}

/// The default budget refuses lists of a few thousand pods; the file's size bounds the work as well. Depth stays
/// bounded, since values are read by recursion. A snippet in an error could show what is redacted.
fn options() -> Options {
    let mut budget = Budget::default();
    (budget.max_events, budget.max_nodes, budget.max_total_scalar_bytes) =
        (usize::MAX, usize::MAX, usize::MAX);
    budget.max_depth = 128;
    serde_saphyr::options! { budget: Some(budget), emit_comments: false, with_snippet: false }
}

/// A document: an object, or a list of them.
struct File<'a, F>(&'a mut F, &'a Deadline);

impl<'de, F: FnMut(Value)> Visitor<'de> for File<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut object = Map::new();
        let (mut is_list, mut has_kind) = (false, false);
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                is_list = true;
                map.next_value_seed(Items(self.0, self.1))?;
            } else {
                has_kind |= key == "kind";
                object.insert(key, map.next_value_seed(Lean(self.1))?);
            }
        }
        let object = Value::from(object);
        let is_named = || object.pointer("/metadata/name").is_some_and(|name| name.as_str() != Some(""));
        match is_list {
            true if has_kind => Ok(()),
            true => Err(serde::de::Error::custom("the file was cut: the list ends before its kind")),
            false if is_named() => {
                (self.0)(object);
                Ok(())
            }
            // What a program wrote in place of an object can be YAML too.
            false => Err(serde::de::Error::custom("it is no object, or was cut: it has no name")),
        }
    }
}

/// The objects of a list.
struct Items<'a, F>(&'a mut F, &'a Deadline);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Items<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for Items<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    /// `items: null`: an empty list, as it is written.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(object) = items.next_element_seed(Lean(self.1))? {
            (self.0)(object);
        }
        Ok(())
    }
}

/// Any value, without managed fields.
#[derive(Clone, Copy)]
struct Lean<'a>(&'a Deadline);

impl<'de> DeserializeSeed<'de> for Lean<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lean<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            self.0.check().map_err(A::Error::custom)?;
            all.push(value);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        // A map that grows has room for more than it holds, which counts with thousands of objects.
        let mut all = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            self.0.check().map_err(A::Error::custom)?;
            if key == "managedFields" {
                map.next_value::<IgnoredAny>()?;
            } else {
                all.push((key, map.next_value_seed(self)?));
            }
        }
        Ok(all.into_iter().collect::<Map<_, _>>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn objects(text: &str) -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        each(text.as_bytes(), |object| all.push(object)).map(|()| all)
    }

    #[test]
    fn an_object_a_list_an_empty_list() {
        let one = "---\napiVersion: v1\nkind: Pod\nmetadata:\n  managedFields:\n  - f: {a: 1}\n  name: \"1\"\nspec: {n: 1, b: true, s: \"true\", z: null}\n";
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "1" },
            "spec": { "n": 1, "b": true, "s": "true", "z": null },
        });
        assert_eq!(objects(one).unwrap(), [pod]);
        assert_eq!(
            objects("items:\n- {a: 1}\n- {a: 2}\nkind: List\n").unwrap(),
            [json!({ "a": 1 }), json!({ "a": 2 })]
        );
        assert_eq!(objects("items: null\nkind: SecretList\n").unwrap(), [Value::Null; 0]);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        let deep = "[".repeat(10_000);
        for bad in ["", "- a", "x", "a: [", "a: 1\na: 2\n", &format!("a: {deep}"), &"a:\n ".repeat(500)] {
            assert!(objects(bad).is_err(), "{bad:.40}");
        }
        for cut in [
            "items:\n- {a: 1}\n",
            "apiVersion: v1\nitems:\n",
            "kind: Pod\nmetadata: {name: a",
            "kind: Pod\nmetadata:\n  name: we",
        ] {
            assert!(objects(cut).is_err(), "{cut:?}");
        }
        // What came before the damage was given.
        let mut all = Vec::new();
        assert!(each(b"items:\n- {a: 1}\n- {a: [\n", |object| all.push(object)).is_err());
        assert_eq!(all, [json!({ "a": 1 })]);
        let anchors = format!("a: &a [x]\n{}", (0..200).map(|i| format!("b{i}: *a\n")).collect::<String>());
        assert!(objects(&anchors).is_err(), "what repeats itself by reference is bounded");
    }

    const LIST: &str = "apiVersion: v1\nitems:\n- kind: Pod\n  metadata: {name: \"a\", labels: &x {b: 'c'}}\n  spec: |\n    text\n   \
                        more\n- metadata:\n    name: >-\n      folded\n    annotations: *x\n    n: [1, 0x1f, 1e3, .inf, ~]\nkind: List\n";

    proptest! {
        /// Whatever the bytes are, reading ends, and gives no more than they could hold.
        #[test]
        fn any_bytes_end(bytes in any::<Vec<u8>>(), text in "[-\\[\\]{}:,&*!|>'\"%@#? \n\ta-c0-9]{0,200}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let mut given = 0;
                _ = each(bytes, |_| given += 1);
                prop_assert!(given <= bytes.len().max(1));
            }
        }

        #[test]
        fn a_damaged_list_ends(at in 0..LIST.len(), with in any::<u8>(), cut in 0..LIST.len()) {
            let mut bytes = LIST.as_bytes().to_vec();
            bytes[at] = with;
            bytes.truncate(bytes.len() - cut);
            let mut given = 0;
            _ = each(&bytes, |_| given += 1);
            prop_assert!(given <= bytes.len().max(1));
        }
    }
}
