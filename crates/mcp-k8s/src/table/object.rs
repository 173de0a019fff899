//! What objects hold, without surprises where they do not.

use serde_json::Value;

/// What stands where there is nothing.
pub(crate) const NONE: &str = "<none>";

static NULL: Value = Value::Null;

/// An object, or a part of one.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a>(pub(crate) &'a Value);

impl<'a> Object<'a> {
    /// What is at a JSON pointer (RFC 6901); null where nothing is.
    pub(crate) fn at(self, path: &str) -> Object<'a> {
        Object(self.0.pointer(path).unwrap_or(&NULL))
    }

    /// A text; empty where there is none.
    pub(crate) fn text(self, path: &str) -> &'a str {
        self.at(path).0.as_str().unwrap_or_default()
    }

    /// A number; 0 where there is none, as an unset field of an API type is.
    pub(crate) fn int(self, path: &str) -> i64 {
        self.at(path).0.as_i64().unwrap_or_default()
    }

    /// Is it set, and true?
    pub(crate) fn is(self, path: &str) -> bool {
        self.at(path).0.as_bool().unwrap_or_default()
    }

    /// Is there anything?
    pub(crate) fn has(self, path: &str) -> bool {
        !self.at(path).0.is_null()
    }

    /// The members of a list.
    pub(crate) fn list(
        self,
        path: &str,
    ) -> impl DoubleEndedIterator<Item = Object<'a>> + ExactSizeIterator + Clone + use<'a> {
        self.at(path).0.as_array().map_or(&[][..], Vec::as_slice).iter().map(Object)
    }

    /// The texts in a list.
    pub(crate) fn texts(self, path: &str) -> Vec<&'a str> {
        self.list(path).filter_map(|member| member.0.as_str()).collect()
    }

    /// The entries of a map, by key.
    pub(crate) fn map(self, path: &str) -> Vec<(&'a str, Object<'a>)> {
        let entries = self.at(path).0.as_object().into_iter().flatten();
        let mut all: Vec<_> = entries.map(|(key, value)| (key.as_str(), Object(value))).collect();
        all.sort_by_key(|(key, _)| *key);
        all
    }

    /// The condition of a type.
    pub(crate) fn condition(self, kind: &str) -> Option<Object<'a>> {
        self.list("/status/conditions").find(|condition| condition.text("/type") == kind)
    }

    /// Does the condition of a type hold?
    pub(crate) fn is_condition(self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.text("/status") == "True")
    }
}

/// A text, or `<none>`.
pub(crate) fn or_none(text: &str) -> Value {
    if text.is_empty() { NONE.into() } else { text.into() }
}

/// Texts with commas between, or `<none>`.
pub(crate) fn joined(all: &[&str]) -> Value {
    or_none(&all.join(","))
}

/// The first of many, and how many more.
pub(crate) fn some(all: Vec<String>, none: &str) -> Value {
    /// As `kubectl` has it.
    const SHOWN: usize = 3;
    let shown: Vec<_> = all.iter().take(SHOWN).cloned().collect();
    match all.len() {
        0 => none.into(),
        n if n > SHOWN => format!("{} + {} more...", shown.join(","), n - SHOWN).into(),
        _ => shown.join(",").into(),
    }
}

/// `a=b,c=d`, or `<none>`.
pub(crate) fn labels(object: Object<'_>, path: &str) -> Value {
    let all: Vec<_> = object
        .map(path)
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.0.as_str().unwrap_or_default()))
        .collect();
    or_none(&all.join(","))
}

/// A label selector of an object as `kubectl -l` takes it, or `<none>`.
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
