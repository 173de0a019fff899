//! Conditions on database columns, as tools take them as parameters.

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// A condition on a column, written as an object or as a text: `column=value`, `column!=value`, `column:key=value`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(extend("format" = crate::schema::ALSO_TEXT))]
#[serde(deny_unknown_fields)]
pub struct ColumnCondition {
    /// Column, or `column:key` for one key of a map.
    pub column: String,
    /// Comparison operator; default ==.
    #[serde(default)]
    pub op: Operator,
    /// Value to compare with, as the list tools show it.
    pub value: String,
}

/// The object form of a condition.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFields {
    column: String,
    #[serde(default)]
    op: Operator,
    value: ConditionValue,
}

/// The value of a condition. A model may write a number or a truth value without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum ConditionValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

impl<'de> Deserialize<'de> for ColumnCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = ColumnCondition;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition such as `column=value` or {\"column\":…,\"op\":…,\"value\":…}")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<ColumnCondition, E> {
                ColumnCondition::parse(text).ok_or_else(|| {
                    E::custom(format!(
                        "`{text}` is not a condition; write column=value, column!=value, column:key=value, or one of the \
                         operators < <= > >= includes excludes between column and value"
                    ))
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnCondition, A::Error> {
                let ConditionFields { column, op, value } =
                    ConditionFields::deserialize(MapAccessDeserializer::new(map))?;
                let value = match value {
                    ConditionValue::Text(text) => text,
                    ConditionValue::Integer(number) => number.to_string(),
                    ConditionValue::Boolean(truth) => truth.to_string(),
                };
                Ok(ColumnCondition { column, op, value })
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// The comparison operators of RFC 7047 section 5.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "doc comments would add a description of each operator to the schema")]
pub enum Operator {
    #[default]
    #[serde(rename = "==")]
    Eq,
    #[serde(rename = "!=")]
    Ne,
    #[serde(rename = "<")]
    Lt,
    #[serde(rename = "<=")]
    Le,
    #[serde(rename = ">")]
    Gt,
    #[serde(rename = ">=")]
    Ge,
    #[serde(rename = "includes")]
    Includes,
    #[serde(rename = "excludes")]
    Excludes,
}

impl From<Operator> for ovsdb::Op {
    fn from(op: Operator) -> Self {
        match op {
            Operator::Eq => Self::Eq,
            Operator::Ne => Self::Ne,
            Operator::Lt => Self::Lt,
            Operator::Le => Self::Le,
            Operator::Gt => Self::Gt,
            Operator::Ge => Self::Ge,
            Operator::Includes => Self::Includes,
            Operator::Excludes => Self::Excludes,
        }
    }
}

impl Operator {
    /// The spellings of all operators. A spelling comes before the spellings that it begins with.
    const SPELLED: [(&'static str, Self); 9] = [
        ("==", Self::Eq),
        ("!=", Self::Ne),
        ("<=", Self::Le),
        (">=", Self::Ge),
        ("=", Self::Eq),
        ("<", Self::Lt),
        (">", Self::Gt),
        (" includes ", Self::Includes),
        (" excludes ", Self::Excludes),
    ];
}

impl ColumnCondition {
    /// Parses the text of a condition. The first operator ends the column, so the value may contain operators. Returns
    /// `None` if the text has no operator or no column.
    fn parse(text: &str) -> Option<Self> {
        let first = |at: usize| {
            let rest = text.get(at..)?;
            let (spelled, op) =
                Operator::SPELLED.into_iter().find(|(spelled, _)| rest.starts_with(spelled))?;
            Some((text.get(..at)?.trim(), op, rest.get(spelled.len()..)?.trim()))
        };
        let (column, op, value) = text.char_indices().find_map(|(at, _)| first(at))?;
        // A column is a name, so a text with an operator elsewhere, such as a match, is not a condition.
        let name = column.split_once(':').map_or(column, |(name, _)| name);
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        is_name.then(|| Self { column: column.into(), op, value: value.into() })
    }

    /// Returns the column, the operator and the value. [`Node::rows`](crate::Node::rows) tests the condition on rows
    /// with secrets redacted.
    pub fn parts(&self) -> (String, ovsdb::Op, String) {
        (self.column.clone(), self.op.into(), self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<(String, ovsdb::Op, String), String> {
        serde_json::from_value::<ColumnCondition>(value).map(|it| it.parts()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_condition_is_a_text_or_an_object() {
        use ovsdb::Op;
        for (text, column, op, value) in [
            ("priority=1001", "priority", Op::Eq, "1001"),
            ("priority == 1001", "priority", Op::Eq, "1001"),
            ("type!=router", "type", Op::Ne, "router"),
            ("priority>=1001", "priority", Op::Ge, "1001"),
            ("priority<5", "priority", Op::Lt, "5"),
            ("ports includes 1a2b", "ports", Op::Includes, "1a2b"),
            ("external_ids:k8s.ovn.org/name=web", "external_ids:k8s.ovn.org/name", Op::Eq, "web"),
            ("match=ip4.dst == 10.0.0.1 && tcp", "match", Op::Eq, "ip4.dst == 10.0.0.1 && tcp"),
            ("name=", "name", Op::Eq, ""),
        ] {
            let written = Ok((column.to_owned(), op, value.to_owned()));
            assert_eq!(read(json!(text)), written, "{text}");
            assert_eq!(
                read(json!({ "column": column, "op": op.as_str(), "value": value })),
                written,
                "{text}"
            );
        }
        assert_eq!(read(json!({ "column": "up", "value": true })), Ok(("up".into(), Op::Eq, "true".into())));
    }

    #[test]
    fn an_error_says_how_to_write_a_condition() {
        for wrong in ["priority", "=1001", "ip4.dst == 10.0.0.1", ""] {
            let error = read(json!(wrong)).unwrap_err();
            assert!(
                error.contains("write column=value, column!=value, column:key=value"),
                "{wrong}: {error}"
            );
        }
        for wrong in [json!(7), json!({ "colum": "a", "value": "b" }), json!({ "column": "a" })] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    proptest! {
        /// Both forms of a condition mean the same.
        #[test]
        fn the_text_and_the_object_are_one_condition(
            column in "[a-z_]{1,8}(:[a-z./-]{1,8})?", op in 0..8_usize, value in "([a-z0-9:.,=<>!]([ -~]{0,8}[!-~])?)?",
        ) {
            let op = ovsdb::Op::ALL[op].0;
            let text = format!("{column} {op} {value}");
            prop_assert_eq!(read(json!(text)), read(json!({ "column": column, "op": op, "value": value })));
        }
    }
}
