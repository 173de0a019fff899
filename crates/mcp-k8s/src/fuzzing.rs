//! The entry point of the fuzz target `logs` (`fuzz/` in the root of the repository). It calls the code that the tools
//! for logs call. Nothing else uses it.

use crate::log::LogParams;
use jiff::Timestamp;
use mcp_core::{Answer, Budget, ToolError};
use std::time::Duration;

/// Returns the answer of a tool for logs to its parameters, if the log arrives in pieces of this size.
///
/// # Errors
///
/// Returns [`ToolError`] if a parameter is invalid.
pub fn read_log(
    log: &[u8],
    piece: usize,
    params: serde_json::Value,
    budget: Budget,
) -> Result<Answer, ToolError> {
    /// The time that the log may take. A log that takes longer is a finding.
    const WITHIN: Duration = Duration::from_secs(60);
    let params: LogParams =
        serde_json::from_value(params).map_err(|error| ToolError::bad(error.to_string(), "Correct it."))?;
    let now = Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let mut reading = params.reading(Some(now), None, budget, WITHIN)?;
    log.chunks(piece.max(1)).for_each(|piece| reading.feed(piece));
    Ok(reading.finish(Vec::new()))
}
