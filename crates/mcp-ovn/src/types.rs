//! Parameters that more than one tool takes.

use mcp_core::Where;
use schemars::JsonSchema;
use serde::Deserialize;

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
