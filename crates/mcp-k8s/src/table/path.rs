//! Parses and evaluates paths into objects, as `kubectl -o custom-columns` and the printer columns of custom resources
//! use them: JSONPath without recursion and scripts.
//!
//! `.spec.nodeName`, `{.status.addresses[0].address}`, `.status.items[*].node`, `.metadata.annotations.a\.b/c`,
//! `.metadata.labels['a.b/c']`, `.status.conditions[?(@.type=="Ready")].status`.

use serde_json::Value;
use std::str::FromStr;

/// A parsed path into an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldPath(Vec<PathStep>);

#[derive(Clone, Debug, PartialEq)]
enum PathStep {
    Key(String),
    /// An index of a list. A negative index counts from the end.
    At(i64),
    All,
    /// The members whose value at a path equals, or does not equal, a value.
    Where {
        path: FieldPath,
        equal: bool,
        value: Value,
    },
}

/// The error for a text that is not a path.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("`{text}` is not a path: {why}")]
pub(crate) struct BadPath {
    text: String,
    why: &'static str,
}

impl FieldPath {
    /// Returns the values at the path, in order.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        self.0
            .iter()
            .fold(vec![root], |found, step| found.into_iter().flat_map(|value| step.from(value)).collect())
    }

    /// Returns the last name in the path, which is the heading of its column.
    pub(crate) fn name(&self) -> String {
        let name = self.0.iter().rev().find_map(|step| match step {
            PathStep::Key(key) => Some(key.rsplit(['/', '.']).next().unwrap_or(key).to_owned()),
            _ => None,
        });
        name.unwrap_or_default()
    }
}

impl PathStep {
    fn from<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let all = || -> Vec<&Value> {
            match value {
                Value::Array(all) => all.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            }
        };
        match self {
            Self::Key(key) => value.get(key).into_iter().collect(),
            Self::At(at) => {
                let array = value.as_array().map_or(&[][..], Vec::as_slice);
                let at = if *at < 0 {
                    array.len().checked_sub(at.unsigned_abs() as usize)
                } else {
                    Some(*at as usize)
                };
                at.and_then(|at| array.get(at)).into_iter().collect()
            }
            Self::All => all(),
            Self::Where { path, equal, value } => {
                let is = |member: &&Value| path.find(member).contains(&value) == *equal;
                all().into_iter().filter(is).collect()
            }
        }
    }
}

impl FromStr for FieldPath {
    type Err = BadPath;
    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = |why| BadPath { text: text.into(), why };
        let mut rest = text.trim();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner.strip_suffix('}').ok_or_else(|| bad("`{` is not closed"))?;
        }
        rest = rest.trim().strip_prefix('$').unwrap_or(rest.trim());
        let mut steps = Vec::new();
        let mut first = true;
        while !rest.is_empty() {
            rest = if let Some(after) = rest.strip_prefix('[') {
                let (inside, after) = bracketed(after).ok_or_else(|| bad("`[` is not closed"))?;
                steps.push(subscript(inside).ok_or_else(|| {
                    bad("[] must contain a number, *, a quoted key or a condition such as ?(@.type==\"Ready\")")
                })?);
                after
            } else {
                let after = match rest.strip_prefix('.') {
                    Some(after) => after,
                    None if first => rest,
                    None => return Err(bad("`]` must be followed by `.` or `[`")),
                };
                let (key, after) = key(after);
                match key.as_str() {
                    "" if after.starts_with('[') && !steps.is_empty() => {}
                    "" => return Err(bad("a name is empty")),
                    "*" => steps.push(PathStep::All),
                    _ => steps.push(PathStep::Key(key)),
                }
                after
            };
            first = false;
        }
        if steps.is_empty() { Err(bad("it is empty")) } else { Ok(Self(steps)) }
    }
}

/// Splits off a name, which ends at the next `.` or `[`. A backslash escapes these characters.
fn key(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (key, text.get(at..).unwrap_or_default()),
            c => key.push(c),
        }
    }
    (key, "")
}

/// Splits off the text before the closing bracket. Quoted and nested brackets do not count.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn subscript(text: &str) -> Option<PathStep> {
    let text = text.trim();
    if text == "*" {
        return Some(PathStep::All);
    }
    if let Some(condition) = text.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        let (equal, (path, value)) = match condition.split_once("!=") {
            Some(sides) => (false, sides),
            None => (true, condition.split_once("==")?),
        };
        let path = path.trim().strip_prefix('@')?.parse().ok()?;
        let value = unquoted(value.trim())
            .map_or_else(|| serde_json::from_str(value.trim()).ok(), |v| Some(v.into()))?;
        return Some(PathStep::Where { path, equal, value });
    }
    match unquoted(text) {
        Some(key) => Some(PathStep::Key(key.to_owned())),
        None => text.parse().ok().map(PathStep::At),
    }
}

fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_values() {
        let object = json!({
            "metadata": { "name": "a", "labels": { "a.b/c": "d" } },
            "spec": { "ips": ["1", "2", "3"], "on": true },
            "status": { "conditions": [
                { "type": "Ready", "status": "False", "n": 1 },
                { "type": "Other", "status": "True", "n": 2 },
            ] },
        });
        for (path, found) in [
            (".metadata.name", json!(["a"])),
            ("metadata.name", json!(["a"])),
            ("{.metadata.name}", json!(["a"])),
            ("$.metadata['name']", json!(["a"])),
            (r".metadata.labels.a\.b/c", json!(["d"])),
            (".metadata.labels['a.b/c']", json!(["d"])),
            (".spec.ips[*]", json!(["1", "2", "3"])),
            (".spec.ips[-1]", json!(["3"])),
            (".spec.ips[7]", json!([])),
            (".spec.ips[-7]", json!([])),
            (".spec.ips.x", json!([])),
            (".spec.ips", json!([["1", "2", "3"]])),
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["False"])),
            (".status.conditions[?(@.type != 'Ready')].status", json!(["True"])),
            (".status.conditions[?(@.n==2)].type", json!(["Other"])),
            (".status.conditions.[0].type", json!(["Ready"])),
            (".status.conditions[*].type", json!(["Ready", "Other"])),
            (".spec.*", json!([["1", "2", "3"], true])),
        ] {
            let parsed: FieldPath = path.parse().unwrap();
            assert_eq!(json!(parsed.find(&object)), found, "{path}");
        }
        assert_eq!("{.metadata.labels['a.b/zone-name']}".parse::<FieldPath>().unwrap().name(), "zone-name");
    }

    #[test]
    fn invalid_paths_are_rejected() {
        for bad in [
            "",
            ".",
            "{.a",
            ".a[",
            ".a[x]",
            ".a[?(b==1)]",
            ".a[?(@.b)]",
            "..a",
            ".a..b",
            ".a[1]b",
            "[?(@.a==)]",
        ] {
            assert!(bad.parse::<FieldPath>().is_err(), "{bad}");
        }
    }
    proptest! {
        /// Every step selects parts of the values of the step before, so a path never returns more values than the
        /// object has.
        #[test]
        fn no_text_causes_a_panic_or_too_many_values(text in ".*|([.]?[a-z]|\\[[-0-9*]{1,3}\\]|\\[[?][(]@[.]a==1[)]\\]|[.][*]){0,6}") {
            let object = json!({ "a": [{ "a": 1, "b": [1, 2] }, { "a": 2 }], "b": { "a": [] } });
            if let Ok(path) = text.parse::<FieldPath>() {
                prop_assert!(path.find(&object).len() <= 9, "{text}");
            }
        }
    }
}
