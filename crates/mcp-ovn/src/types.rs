//! Parameters that more than one tool takes.

use mcp_core::Where;
use schemars::JsonSchema;
use serde::Deserialize;

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
