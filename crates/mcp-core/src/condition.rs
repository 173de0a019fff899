//! Conditions on the columns of a database, as tools take them.

use schemars::JsonSchema;
use serde::Deserialize;

/// A condition on a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// Or `column:key` of a map.
    pub column: String,
    /// Default ==.
    #[serde(default)]
    pub op: Operator,
    /// As `list` shows it.
    pub value: String,
}

/// The functions of RFC 7047 section 5.1.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the schema would have a description for each of them")]
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

impl Where {
    /// Its column, operator and value. It sees what is shown: [`Node::rows`](crate::Node::rows) tests it on rows without
    /// their secrets.
    pub fn parts(&self) -> (String, ovsdb::Op, String) {
        (self.column.clone(), self.op.into(), self.value.clone())
    }
}
