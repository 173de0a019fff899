//! Prints objects as JSON.

use mcp_core::{Budget, ToolError};
use serde_json::Value;

/// Returns the JSON of a single object that fits into an answer.
///
/// # Errors
/// If the object does not fit.
pub(crate) fn single(object: &Value, budget: Budget) -> Result<String, ToolError> {
    /// The bytes that are reserved for the first line and the notes of the answer.
    const REST: usize = 3_000;
    let room = budget.bytes.saturating_sub(REST);
    let pretty = format!("{object:#}");
    if pretty.len() <= room && pretty.lines().count() <= budget.lines {
        return Ok(pretty);
    }
    let plain = object.to_string();
    if plain.len() <= room {
        return Ok(plain);
    }
    Err(ToolError::bad(
        format!("the object has {} bytes of JSON, and an answer has room for {room} bytes", plain.len()),
        "Use output=yaml, which supports offset, or select fields with columns.",
    ))
}
