//! Parameters that more than one tool takes.

use schemars::JsonSchema;
use serde::Deserialize;

/// A condition on a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Where {
    /// Column, or `column:key` of a map.
    pub(crate) column: String,
    /// How it compares; the default is `==`.
    #[serde(default)]
    pub(crate) op: Operator,
    /// The value, as `list` shows it.
    pub(crate) value: String,
}

/// The functions of RFC 7047 section 5.1.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
pub(crate) enum Operator {
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

/// The parameters of both `list` tools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParams {
    /// The table, such as Logical_Switch_Port.
    pub(crate) table: String,
    /// One row: its name, UUID or the first digits of it; a pod's port also as namespace/name.
    #[serde(default)]
    pub(crate) record: Option<String>,
    /// Only rows that meet all of these.
    #[serde(default, rename = "where")]
    pub(crate) conditions: Vec<Where>,
    /// Only these columns, separated by commas.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Only what belongs to this router, switch, port group, load balancer group, datapath or chassis.
    #[serde(default)]
    pub(crate) of: Option<String>,
}
