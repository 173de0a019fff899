//! Conditions on database columns, as tools take them as parameters.

use schemars::JsonSchema;
use serde::Deserialize;

/// A condition on a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
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

/// The comparison operators of RFC 7047 section 5.1.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
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

impl ColumnCondition {
    /// Returns the column, the operator and the value. [`Node::rows`](crate::Node::rows) tests the condition on rows
    /// with secrets redacted.
    pub fn parts(&self) -> (String, ovsdb::Op, String) {
        (self.column.clone(), self.op.into(), self.value.clone())
    }
}
