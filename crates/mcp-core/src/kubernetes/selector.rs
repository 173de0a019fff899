//! Label and field selectors in the syntax of `kubectl -l` and `--field-selector`. This module evaluates them for
//! sources that have objects but no API server.

use serde_json::Value;
use std::{fmt, str::FromStr};

/// The error of a text that is not a valid selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid selector: {why}")]
pub struct BadSelector {
    /// The invalid text.
    pub text: String,
    /// The problem, and the valid syntax.
    pub why: &'static str,
}

/// Conditions on labels that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: LabelTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelTest {
    Exists,
    Absent,
    In(Vec<String>),
    /// The condition also holds for an object without the label.
    NotIn(Vec<String>),
}

impl LabelSelector {
    /// Whether the selector has no conditions and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the labels of an object satisfy the selector.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|Requirement { key, test }| match (test, value(key)) {
            (LabelTest::Exists, value) => value.is_some(),
            (LabelTest::Absent, value) => value.is_none(),
            (LabelTest::In(all), value) => value.is_some_and(|v| all.iter().any(|one| one == v)),
            (LabelTest::NotIn(all), value) => value.is_none_or(|v| all.iter().all(|one| one != v)),
        })
    }
}

impl FromStr for LabelSelector {
    type Err = BadSelector;
    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let bad = |why| BadSelector { text: text.into(), why };
        let parts = outside_parentheses(text);
        let requirement = |part: &str| {
            requirement(part)
                .ok_or_else(|| bad("write key=value, key!=value, key in (a,b), key notin (a,b), key or !key"))
        };
        parts.into_iter().filter(|part| !part.is_empty()).map(requirement).collect::<Result<_, _>>().map(Self)
    }
}

/// Splits a text at the commas outside of parentheses.
fn outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text.get(begin..at).unwrap_or_default().trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(begin..).unwrap_or_default().trim());
    parts
}

fn requirement(text: &str) -> Option<Requirement> {
    let made = |key: &str, test| is_key(key.trim()).then(|| Requirement { key: key.trim().into(), test });
    let one = |value: &str| is_value(value.trim()).then(|| vec![value.trim().to_owned()]);
    if let Some((key, value)) = text.split_once("!=") {
        return made(key, LabelTest::NotIn(one(value)?));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return made(key, LabelTest::In(one(value)?));
    }
    let set = |rest: &str| {
        let all = rest.trim().strip_prefix('(')?.strip_suffix(')')?.split(',').map(str::trim);
        let all: Vec<String> = all.map(str::to_owned).collect();
        all.iter().all(|value| is_value(value)).then_some(all)
    };
    if let Some((key, rest)) = text.split_once(" notin ") {
        return made(key, LabelTest::NotIn(set(rest)?));
    }
    if let Some((key, rest)) = text.split_once(" in ") {
        return made(key, LabelTest::In(set(rest)?));
    }
    match text.strip_prefix('!') {
        Some(key) => made(key, LabelTest::Absent),
        None => made(text, LabelTest::Exists),
    }
}

fn is_key(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    !text.is_empty() && text.len() <= 317 && text.chars().all(allowed)
}

fn is_value(text: &str) -> bool {
    text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Requirement { key, test }) in self.0.iter().enumerate() {
            f.write_str(if i > 0 { "," } else { "" })?;
            match test {
                LabelTest::Exists => write!(f, "{key}"),
                LabelTest::Absent => write!(f, "!{key}"),
                LabelTest::In(all) => write!(f, "{key} in ({})", all.join(",")),
                LabelTest::NotIn(all) => write!(f, "{key} notin ({})", all.join(",")),
            }?;
        }
        Ok(())
    }
}

/// Conditions on fields (`status.phase=Running`, `spec.nodeName!=a`) that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<Equality>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Equality {
    path: String,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// Whether the selector has no conditions and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the paths of the selector's fields.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|equality| equality.path.as_str())
    }

    /// Whether an object has a field at this path.
    pub fn has(object: &Value, path: &str) -> bool {
        path.split('.').try_fold(object, |object, key| object.get(key)).is_some()
    }

    /// Whether the fields of an object satisfy the selector. A missing field has the zero value of Go, as on an API
    /// server: empty, false or zero.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|Equality { path, equal, value }| {
            let field = path.split('.').try_fold(object, |object, key| object.get(key));
            let is = match field {
                None | Some(Value::Null) => ["", "false", "0"].contains(&value.as_str()),
                Some(Value::String(text)) => text == value,
                Some(other) => *other == serde_json::from_str::<Value>(value).unwrap_or_default(),
            };
            is == *equal
        })
    }
}

impl FromStr for FieldSelector {
    type Err = BadSelector;
    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let bad = |why| BadSelector { text: text.into(), why };
        let equality = |part: &str| {
            let (path, equal, value) = match part.split_once("!=") {
                Some((path, value)) => (path, false, value),
                None => {
                    let (path, value) = part
                        .split_once("==")
                        .or_else(|| part.split_once('='))
                        .ok_or_else(|| bad("write field=value or field!=value"))?;
                    (path, true, value)
                }
            };
            let (path, value) = (path.trim(), value.trim());
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if path.is_empty() || !path.chars().all(allowed) {
                return Err(bad("write the field as a path such as status.phase"));
            }
            if !value.chars().all(|c| c.is_ascii_graphic() && !"=,\\".contains(c)) {
                return Err(bad("a value may not contain spaces, commas or backslashes"));
            }
            Ok(Equality { path: path.into(), equal, value: value.into() })
        };
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(equality)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Equality { path, equal, value }) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{path}{}{value}", if *equal { "=" } else { "!=" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn labels_are_selected_as_in_kubectl() {
        let web = json!({ "metadata": { "labels": { "app": "web", "tier": "front" } } });
        let bare = json!({ "metadata": {} });
        for (selector, of_web, of_bare) in [
            ("", true, true),
            ("app=web", true, false),
            ("app==web,tier=front", true, false),
            ("app!=web", false, true),
            ("app in (db, web)", true, false),
            ("app notin (db,web)", false, true),
            ("app", true, false),
            ("!app", false, true),
            ("app in (web),!zone", true, false),
        ] {
            let parsed: LabelSelector = selector.parse().unwrap();
            assert_eq!((parsed.matches(&web), parsed.matches(&bare)), (of_web, of_bare), "{selector}");
            // The formatted selector, which is sent to a server, means the same.
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{selector}");
        }
        for bad in ["a b", "app=we b", "app in web", "app=a&watch=true", "=x", "app in (a"] {
            assert!(bad.parse::<LabelSelector>().is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_are_paths() {
        let pod = json!({ "metadata": { "name": "a" }, "spec": { "nodeName": "n", "hostNetwork": true } });
        for (selector, is) in [
            ("spec.nodeName=n", true),
            ("spec.nodeName!=n", false),
            ("metadata.name=a,spec.hostNetwork=true", true),
            ("status.phase=", true),
            ("spec.hostPID=false", true),
            ("spec.hostPID=true", false),
            ("spec.hostNetwork=false", false),
            ("status.phase!=Running", true),
        ] {
            let parsed: FieldSelector = selector.parse().unwrap();
            assert_eq!(parsed.matches(&pod), is, "{selector}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{selector}");
        }
        for bad in ["spec", "a b=c", "a=b c", "=x"] {
            assert!(bad.parse::<FieldSelector>().is_err(), "{bad}");
        }
    }
    proptest! {
        /// An accepted selector is sent to a server as it is formatted, so it must mean the same there.
        #[test]
        fn no_text_panics_and_what_is_taken_means_one_thing(
            text in ".*|[-a-z0-9./_!=,() ]{0,40}|[a-z]{1,3}(=|!=| in \\(| notin \\()[a-z,]{0,5}\\)?",
        ) {
            let pod = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "a": 1 } });
            if let Ok(labels) = text.parse::<LabelSelector>() {
                prop_assert_eq!(labels.to_string().parse::<LabelSelector>().map(|it| it.matches(&pod)), Ok(labels.matches(&pod)));
                prop_assert!(!labels.to_string().contains(['&', '?', '#', '%']));
            }
            if let Ok(fields) = text.parse::<FieldSelector>() {
                prop_assert_eq!(fields.to_string().parse::<FieldSelector>().map(|it| it.matches(&pod)), Ok(fields.matches(&pod)));
            }
        }
    }
}
