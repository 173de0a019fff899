//! What is secret is in no answer of any tool: planted in whatever the golden cases read.

use mcp_testing::{Failed, no_secrets};

#[test]
fn no_tool_tells_a_secret() -> Result<(), Failed> {
    // Asked of live nodes only.
    no_secrets(mcp_kernel::layer, &["conntrack_events"])
}
