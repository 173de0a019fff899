//! Parameters that several tools share, and functions that parse them.

use mcp_core::{ToolError, argv::CaptureFilter};

/// Parses the parameter `filter`.
pub(crate) fn filter(text: &str) -> Result<CaptureFilter, ToolError> {
    CaptureFilter::parse(text).map_err(|e| {
        ToolError::bad(
            format!("parameter `filter` is not a filter: {e}"),
            "Pass an expression of pcap-filter(7), such as `host 10.244.1.5 and tcp port 80` or `udp port 6081`.",
        )
    })
}
