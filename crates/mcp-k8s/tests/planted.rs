//! Plants secrets in all data that the golden cases read. No answer of a tool may contain a secret.

use mcp_testing::{Failed, no_secrets};

#[test]
fn no_tool_reveals_a_secret() -> Result<(), Failed> {
    no_secrets(mcp_k8s::layer, &[])
}
