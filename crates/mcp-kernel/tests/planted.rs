//! Secrets that are planted in the data of the golden cases do not appear in the answer of any tool.

use mcp_testing::{Failed, no_secrets};

#[test]
fn no_answer_contains_a_planted_secret() -> Result<(), Failed> {
    // This tool needs a live node.
    no_secrets(mcp_kernel::layer, &["conntrack_events"])
}
