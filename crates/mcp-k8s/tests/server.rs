//! The server as its clients see it.

/// It leaves room for the other servers: docs/architecture.md.
#[test]
fn the_list_of_tools() -> Result<(), mcp_testing::Failed> {
    mcp_testing::tools_list(mcp_k8s::layer())
}
