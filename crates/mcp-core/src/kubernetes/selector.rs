//! Label and field selectors, as `kubectl -l` and `--field-selector` take them; evaluated here for sources that
//! have objects and no API server.

use serde_json::Value;
use std::{fmt, str::FromStr};

/// The text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no selector: {why}")]
pub struct BadSelector {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Conditions on labels, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// An object without the label is not in the set either.
    NotIn(Vec<String>),
}

impl LabelSelector {
    /// Selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Do the labels of an object meet it?
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|Requirement { key, test }| match (test, value(key)) {
            (Test::Exists, value) => value.is_some(),
            (Test::Absent, value) => value.is_none(),
            (Test::In(all), value) => value.is_some_and(|v| all.iter().any(|one| one == v)),
            (Test::NotIn(all), value) => value.is_none_or(|v| all.iter().all(|one| one != v)),
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

/// The parts between the commas that stand outside of parentheses.
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
        return made(key, Test::NotIn(one(value)?));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return made(key, Test::In(one(value)?));
    }
    let set = |rest: &str| {
        let all = rest.trim().strip_prefix('(')?.strip_suffix(')')?.split(',').map(str::trim);
        let all: Vec<String> = all.map(str::to_owned).collect();
        all.iter().all(|value| is_value(value)).then_some(all)
    };
    if let Some((key, rest)) = text.split_once(" notin ") {
        return made(key, Test::NotIn(set(rest)?));
    }
    if let Some((key, rest)) = text.split_once(" in ") {
        return made(key, Test::In(set(rest)?));
    }
    match text.strip_prefix('!') {
        Some(key) => made(key, Test::Absent),
        None => made(text, Test::Exists),
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
                Test::Exists => write!(f, "{key}"),
                Test::Absent => write!(f, "!{key}"),
                Test::In(all) => write!(f, "{key} in ({})", all.join(",")),
                Test::NotIn(all) => write!(f, "{key} notin ({})", all.join(",")),
            }?;
        }
        Ok(())
    }
}

/// Conditions on fields (`status.phase=Running`, `spec.nodeName!=a`), all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<Equality>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Equality {
    path: String,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// Selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths that it looks at.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|equality| equality.path.as_str())
    }

    /// Is there a field at a path of an object?
    pub fn has(object: &Value, path: &str) -> bool {
        path.split('.').try_fold(object, |object, key| object.get(key)).is_some()
    }

    /// Do the fields of an object meet it? A field that is not there has the value that Go gives it, which is what an API
    /// server compares: it is empty, false or zero.
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
                return Err(bad("a field is a path such as status.phase"));
            }
            if !value.chars().all(|c| c.is_ascii_graphic() && !"=,\\".contains(c)) {
                return Err(bad("a value holds no space, comma or backslash"));
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
    fn labels_are_selected_as_kubectl_does() {
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
            // What is sent to a server means the same.
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
        /// What is taken is sent to a server as it is written, so it must mean the same there.
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
