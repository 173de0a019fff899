//! Tests the server as its clients see it.

/// The list of tools stays within the limit for one server, see docs/architecture.md.
#[test]
fn the_list_of_tools() -> Result<(), mcp_testing::Failed> {
    mcp_testing::tools_list(mcp_k8s::layer())
}
