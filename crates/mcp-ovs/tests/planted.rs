//! Secrets that are planted in all files of the golden cases appear in no answer of any tool.

use mcp_testing::{Failed, no_secrets};

#[test]
fn no_tool_reveals_a_secret() -> Result<(), Failed> {
    no_secrets(mcp_ovs::layer, &["retis_capture"])
}
