//! Parameters that several tools share.

use mcp_core::ColumnCondition;
use schemars::JsonSchema;
use serde::Deserialize;

/// The parameters of both `list` tools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParams {
    /// Name of the table.
    pub(crate) table: String,
    /// Name or UUID (or its first digits) of one row. For the port of a pod: namespace/name.
    #[serde(default)]
    pub(crate) record: Option<String>,
    /// Conditions that must all match: `column=value`, `column:key!=value`, or with <, <=, >, >=, includes, excludes.
    #[serde(default, rename = "where")]
    pub(crate) conditions: Vec<ColumnCondition>,
    /// Show only these columns.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Show only rows of this router, switch, port group, load balancer group, datapath or chassis.
    #[serde(default)]
    pub(crate) of: Option<String>,
}
