//! What is secret is in no answer of any tool: planted in whatever the golden cases read.

use mcp_core::testing::{Failed, no_secrets};

#[test]
fn no_tool_tells_a_secret() -> Result<(), Failed> {
    // A word on stderr is a failure of it.
    no_secrets(mcp_ovn::layer, &["ovn_trace"])
}
