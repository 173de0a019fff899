//! Reads fields of objects. An absent field gives an empty value, not an error.

use serde_json::Value;

/// The cell that `kubectl` shows for an absent value.
pub(crate) const NONE: &str = "<none>";

static NULL: Value = Value::Null;

/// An object, or a part of one.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a>(pub(crate) &'a Value);

impl<'a> Object<'a> {
    /// Returns the value at a JSON pointer (RFC 6901), or null.
    pub(crate) fn at(self, path: &str) -> Object<'a> {
        Object(self.0.pointer(path).unwrap_or(&NULL))
    }

    /// Returns a text, or an empty text.
    pub(crate) fn text(self, path: &str) -> &'a str {
        self.at(path).0.as_str().unwrap_or_default()
    }

    /// Returns a number, or 0, which is the value of an unset field in the Go types of the API.
    pub(crate) fn int(self, path: &str) -> i64 {
        self.at(path).0.as_i64().unwrap_or_default()
    }

    /// Checks whether a field is true.
    pub(crate) fn is(self, path: &str) -> bool {
        self.at(path).0.as_bool().unwrap_or_default()
    }

    /// Checks whether a field exists.
    pub(crate) fn has(self, path: &str) -> bool {
        !self.at(path).0.is_null()
    }

    /// Returns the members of a list.
    pub(crate) fn list(
        self,
        path: &str,
    ) -> impl DoubleEndedIterator<Item = Object<'a>> + ExactSizeIterator + Clone + use<'a> {
        self.at(path).0.as_array().map_or(&[][..], Vec::as_slice).iter().map(Object)
    }

    /// Returns the texts in a list.
    pub(crate) fn texts(self, path: &str) -> Vec<&'a str> {
        self.list(path).filter_map(|member| member.0.as_str()).collect()
    }

    /// Returns the entries of a map, ordered by key.
    pub(crate) fn map(self, path: &str) -> Vec<(&'a str, Object<'a>)> {
        let entries = self.at(path).0.as_object().into_iter().flatten();
        let mut all: Vec<_> = entries.map(|(key, value)| (key.as_str(), Object(value))).collect();
        all.sort_by_key(|(key, _)| *key);
        all
    }

    /// Returns the condition of a type.
    pub(crate) fn condition(self, kind: &str) -> Option<Object<'a>> {
        self.list("/status/conditions").find(|condition| condition.text("/type") == kind)
    }

    /// Checks whether the condition of a type is true.
    pub(crate) fn is_condition(self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.text("/status") == "True")
    }
}

/// Returns a text, or `<none>` for an empty text.
pub(crate) fn or_none(text: &str) -> Value {
    if text.is_empty() { NONE.into() } else { text.into() }
}

/// Joins texts with commas. Returns `<none>` for an empty list.
pub(crate) fn joined(all: &[&str]) -> Value {
    or_none(&all.join(","))
}

/// Returns the first few texts, and the number of the others.
pub(crate) fn some(all: Vec<String>, none: &str) -> Value {
    /// The number of texts that `kubectl` shows.
    const SHOWN: usize = 3;
    let shown: Vec<_> = all.iter().take(SHOWN).cloned().collect();
    match all.len() {
        0 => none.into(),
        n if n > SHOWN => format!("{} + {} more...", shown.join(","), n - SHOWN).into(),
        _ => shown.join(",").into(),
    }
}

/// Formats labels as `a=b,c=d`, or `<none>`.
pub(crate) fn labels(object: Object<'_>, path: &str) -> Value {
    let all: Vec<_> = object
        .map(path)
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.0.as_str().unwrap_or_default()))
        .collect();
    or_none(&all.join(","))
}

/// Formats a label selector of an object in the syntax of `kubectl -l`, or `<none>`.
pub(crate) fn selector(object: Object<'_>, path: &str) -> Value {
    let selector = object.at(path);
    let labels = selector.map("/matchLabels").into_iter();
    let mut all: Vec<(&str, String)> =
        labels.map(|(key, value)| (key, format!("{key}={}", value.0.as_str().unwrap_or_default()))).collect();
    for expression in selector.list("/matchExpressions") {
        let key = expression.text("/key");
        let mut values = expression.texts("/values");
        values.sort_unstable();
        let values = values.join(",");
        let text = match expression.text("/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            other => format!("{key} {other} ({values})"),
        };
        all.push((key, text));
    }
    all.sort_by_key(|(key, _)| *key);
    or_none(&all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_written_as_they_are_taken() {
        let object = json!({ "s": {
            "matchLabels": { "b": "1", "a": "2" },
            "matchExpressions": [
                { "key": "c", "operator": "In", "values": ["y", "x"] },
                { "key": "d", "operator": "DoesNotExist" },
                { "key": "aa", "operator": "Exists" },
                { "key": "e", "operator": "NotIn", "values": ["z"] },
            ],
        }, "none": {} });
        assert_eq!(selector(Object(&object), "/s"), "a=2,aa,b=1,c in (x,y),!d,e notin (z)");
        assert_eq!(selector(Object(&object), "/none"), "<none>");
        assert_eq!(selector(Object(&object), "/absent"), "<none>");
    }
}
