//! Parameters and parsers that several tools share.

use mcp_core::{ColumnCondition, CounterDelta, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

/// The parameters of `list`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParams {
    /// Name of the table, such as Interface.
    pub(crate) table: String,
    /// Name or UUID (or its first digits) of one row. For an interface also its pod (namespace/name).
    #[serde(default)]
    pub(crate) record: Option<String>,
    /// Conditions that must all match: `column=value`, `column:key!=value`, or with <, <=, >, >=, includes, excludes.
    #[serde(default, rename = "where")]
    pub(crate) conditions: Vec<ColumnCondition>,
    /// Show only these columns.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Show only rows that belong to this bridge or port.
    #[serde(default)]
    pub(crate) of: Option<String>,
}

/// Checks the time between two samples.
pub(crate) fn delta_seconds(seconds: Option<u16>) -> Result<Option<u16>, ToolError> {
    match seconds {
        Some(0) => {
            Err(ToolError::bad("delta_seconds=0 leaves no time between two samples", "Pass 1 to 120."))
        }
        Some(n) if n > CounterDelta::LONGEST => Err(ToolError::bad(
            format!("delta_seconds={n} is too long"),
            format!("Pass 1 to {}.", CounterDelta::LONGEST),
        )),
        seconds => Ok(seconds),
    }
}

/// Parses a number in decimal or after `0x`, with an optional mask after `/`.
pub(crate) fn masked(text: &str, what: &str) -> Result<(u64, u64), ToolError> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let parsed = match text.trim().split_once('/') {
        Some((value, "-1")) => number(value).map(|value| (value, u64::MAX)),
        Some((value, mask)) => number(value).zip(number(mask)),
        None => number(text.trim()).map(|value| (value, u64::MAX)),
    };
    parsed.ok_or_else(|| {
        ToolError::bad(format!("{what} `{text}` is not a number"), "Write 0xdeff105, or value/mask: 0x1/0x3.")
    })
}
