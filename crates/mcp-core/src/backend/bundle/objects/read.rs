//! Reads Kubernetes objects from a file.
//!
//! Lists are read one object at a time, so that unwanted objects are never all in memory. Managed fields, which are
//! half of many objects, are skipped while reading.

use crate::Deadline;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Budget, Error, Options};
use std::fmt;

/// Passes each object of a file to `take`: the items of a list, or the single object.
///
/// # Errors
/// Returns an error if the time of the call is over, if the YAML or JSON is invalid, or if the file was cut at a place
/// where it is still valid YAML. Collectors end every file with a line feed, and every list with its kind.
pub(crate) fn each(bytes: &[u8], mut take: impl FnMut(Value)) -> Result<(), Error> {
    let deadline = Deadline::current();
    let read = |deserializer: serde_saphyr::Deserializer<'_, '_>| {
        deserializer.deserialize_any(DocumentVisitor(&mut take, &deadline))
    };
    serde_saphyr::with_deserializer_from_slice_with_options(bytes, options(bytes), read)?;
    // A JSON document ends with a closing bracket, and the parser rejects it without one.
    let is_json = bytes.trim_ascii().first().is_some_and(|first| matches!(first, b'{' | b'['));
    if is_json || bytes.ends_with(b"\n") {
        return Ok(());
    }
    Err(serde::de::Error::custom("the file is cut: it ends in the middle of a line"))
}

/// Parses a document into a type that has only the wanted fields.
///
/// # Errors
/// Returns an error if the YAML or JSON is invalid, is nested too deeply, or does not have the form of the type.
pub(in crate::backend::bundle) fn typed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_saphyr::from_slice_with_options(bytes, options(bytes))
}

/// The default budget rejects lists of a few thousand pods, so the size of the file bounds the work instead. A file
/// that refers to its own values (`*a`) could be much larger in memory, so its texts together have at most twice the
/// size of the file. The depth stays limited, because values are read recursively. Snippets are off, because a snippet
/// in an error could show a value that must be redacted.
fn options(bytes: &[u8]) -> Options {
    /// The size of the texts that a small file may always have, in bytes.
    const SMALL: usize = 64 << 10;
    let mut budget = Budget::default();
    (budget.max_events, budget.max_nodes) = (usize::MAX, usize::MAX);
    budget.max_total_scalar_bytes = bytes.len().saturating_mul(2).max(SMALL);
    budget.max_depth = 100;
    serde_saphyr::options! { budget: Some(budget), emit_comments: false, with_snippet: false }
}

/// Visits a document: an object or a list of objects.
struct DocumentVisitor<'a, F>(&'a mut F, &'a Deadline);

impl<'de, F: FnMut(Value)> Visitor<'de> for DocumentVisitor<'_, F> {
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
                map.next_value_seed(ItemsVisitor(self.0, self.1))?;
            } else {
                has_kind |= key == "kind";
                object.insert(key, map.next_value_seed(LeanValue(self.1))?);
            }
        }
        let object = Value::from(object);
        let is_named = || object.pointer("/metadata/name").is_some_and(|name| name.as_str() != Some(""));
        match is_list {
            true if has_kind => Ok(()),
            true => Err(serde::de::Error::custom("the file is cut: the list ends before its kind")),
            false if is_named() => {
                (self.0)(object);
                Ok(())
            }
            // A program's message in place of an object can also be valid YAML.
            false => {
                Err(serde::de::Error::custom("the document has no name: it is not an object, or it is cut"))
            }
        }
    }
}

/// Visits the items of a list.
struct ItemsVisitor<'a, F>(&'a mut F, &'a Deadline);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for ItemsVisitor<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for ItemsVisitor<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    /// Accepts `items: null`, which means an empty list.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(object) = items.next_element_seed(LeanValue(self.1))? {
            (self.0)(object);
        }
        Ok(())
    }
}

/// Reads any value, without managed fields.
#[derive(Clone, Copy)]
struct LeanValue<'a>(&'a Deadline);

impl<'de> DeserializeSeed<'de> for LeanValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LeanValue<'_> {
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
        // The map is built from a list, because a growing map allocates more than it needs, which matters for thousands
        // of objects.
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
    fn an_object_a_list_and_an_empty_list_are_read() {
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
    fn a_file_without_a_whole_object_is_an_error() {
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
        // The objects before the damage were passed on.
        let mut all = Vec::new();
        assert!(each(b"items:\n- {a: 1}\n- {a: [\n", |object| all.push(object)).is_err());
        assert_eq!(all, [json!({ "a": 1 })]);
        let anchors = format!("a: &a [x]\n{}", (0..200).map(|i| format!("b{i}: *a\n")).collect::<String>());
        assert!(objects(&anchors).is_err(), "the expansion of references is limited");
    }

    #[test]
    fn reading_stops_when_its_call_ends() {
        let list = format!("items:\n{}kind: List\n", "- {a: [1, 2]}\n".repeat(1_000));
        assert_eq!(objects(&list).unwrap().len(), 1_000);
        let mut given = 0;
        let over = crate::Deadline::within(std::time::Duration::ZERO);
        assert!(over.during(|| each(list.as_bytes(), |_| given += 1)).is_err());
        assert_eq!(given, 0);
    }

    /// Values that refer to values that refer to a text are a thousand times as large as the file.
    #[test]
    fn references_do_not_multiply_the_size_of_a_file() {
        let text = "x".repeat(10_000);
        let all = |name: &str| vec![format!("*{name}"); 40].join(", ");
        let bomb = format!("metadata: {{name: a}}\na: &a {text}\nb: &b [{}]\nc: [{}]\n", all("a"), all("b"));
        assert!(objects(&bomb).unwrap_err().to_string().contains("scalar"));
        assert!(typed::<Labelled>(bomb.as_bytes()).is_err());
        let twice = format!("metadata: {{name: a}}\na: &a {text}\nb: *a\n");
        assert_eq!(objects(&twice).unwrap()[0].pointer("/b").unwrap().as_str().unwrap().len(), 10_000);
    }

    /// The fields of an object that a caller may want.
    #[derive(Debug, serde::Deserialize)]
    struct Labelled {
        labels: Vec<String>,
    }

    #[test]
    fn deep_nesting_is_an_error_for_every_reader() {
        // The servers have threads with a stack of this size.
        std::thread::Builder::new().stack_size(4 << 20).spawn(deep_nesting).unwrap().join().unwrap();
    }

    fn deep_nesting() {
        let (flow, block, maps) = ("[".repeat(1_000_000), "- ".repeat(1_000_000), "{a: ".repeat(1_000_000));
        // Each anchor refers to the one before, so the document is flat, but its value is nested.
        let anchors = |number: usize| format!("a{number}: &a{number} [*a{}]\n", number - 1);
        let anchors = format!("a0: &a0 [x]\n{}", (1..700).map(anchors).collect::<String>());
        for deep in [flow, format!("\n{block}x"), maps] {
            for key in ["spec", "managedFields", "labels"] {
                let text = format!("metadata: {{name: a}}\n{key}: {deep}\n");
                let errors = [objects(&text).unwrap_err(), typed::<Labelled>(text.as_bytes()).unwrap_err()];
                let says_why = |e: &Error| {
                    let text = e.to_string();
                    // A reader of a type may see before that the value has another type.
                    ["depth", "recursion limit", "expected "].iter().any(|why| text.contains(why))
                };
                assert!(errors.iter().all(says_why), "{key} {deep:.10} {errors:?}");
            }
        }
        assert!(objects(&anchors).is_err() && typed::<Labelled>(anchors.as_bytes()).is_err());
        assert_eq!(typed::<Labelled>(b"labels: [a]\nspec: [[b]]\n").unwrap().labels, ["a"]);
    }

    const LIST: &str = "apiVersion: v1\nitems:\n- kind: Pod\n  metadata: {name: \"a\", labels: &x {b: 'c'}}\n  spec: |\n    text\n   \
                        more\n- metadata:\n    name: >-\n      folded\n    annotations: *x\n    n: [1, 0x1f, 1e3, .inf, ~]\nkind: List\n";

    proptest! {
        /// Reading any bytes ends, and yields no more objects than the bytes could contain.
        #[test]
        fn reading_any_bytes_ends(bytes in any::<Vec<u8>>(), text in "[-\\[\\]{}:,&*!|>'\"%@#? \n\ta-c0-9]{0,200}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let mut given = 0;
                _ = each(bytes, |_| given += 1);
                prop_assert!(given <= bytes.len().max(1));
            }
        }

        #[test]
        fn reading_a_damaged_list_ends(at in 0..LIST.len(), with in any::<u8>(), cut in 0..LIST.len()) {
            let mut bytes = LIST.as_bytes().to_vec();
            bytes[at] = with;
            bytes.truncate(bytes.len() - cut);
            let mut given = 0;
            _ = each(&bytes, |_| given += 1);
            prop_assert!(given <= bytes.len().max(1));
        }
    }
}
