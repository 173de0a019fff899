//! Tests the server as its clients see it.

/// The list of tools stays within the limit for one server, see docs/architecture.md.
#[test]
fn the_list_of_tools() -> Result<(), mcp_testing::Failed> {
    mcp_testing::tools_list(mcp_k8s::layer())
}

#[test]
fn each_tool_has_an_example_that_works() -> Result<(), mcp_testing::Failed> {
    let problems = mcp_testing::problems_of_examples(mcp_k8s::layer, &["capture", "bundles/sosreports"])?;
    assert_eq!(problems, [""; 0]);
    Ok(())
}
