//! Parameters that more than one tool takes.

use schemars::JsonSchema;
use serde::Deserialize;

/// A condition on a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Where {
    /// Or `column:key` of a map.
    pub(crate) column: String,
    /// Default ==.
    #[serde(default)]
    pub(crate) op: Operator,
    /// As `list` shows it.
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
    /// Such as Logical_Switch_Port.
    pub(crate) table: String,
    /// Name, UUID or its first digits; a pod's port also as namespace/name.
    #[serde(default)]
    pub(crate) record: Option<String>,
    /// Conditions, all of which hold.
    #[serde(default, rename = "where")]
    pub(crate) conditions: Vec<Where>,
    /// Only these.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Only what this router, switch, port group, load balancer group, datapath or chassis has.
    #[serde(default)]
    pub(crate) of: Option<String>,
}
