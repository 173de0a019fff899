//! The server as its clients see it.

/// The list of tools stays within its size limit, which leaves room for the other servers (docs/architecture.md).
#[test]
fn the_list_of_tools_is_small_and_matches_its_snapshot() -> Result<(), mcp_testing::Failed> {
    mcp_testing::tools_list(mcp_capture::layer())
}

/// Prompts name only tools and parameters that exist.
#[test]
fn prompts_name_existing_tools() {
    assert_eq!(mcp_testing::problems_of_prompts(&mcp_capture::layer()), [""; 0]);
}

#[test]
fn each_tool_has_an_example_that_works() -> Result<(), mcp_testing::Failed> {
    let problems =
        mcp_testing::problems_of_examples(mcp_capture::layer, &["capture-with-packets", "lab-packets"])?;
    assert_eq!(problems, [""; 0]);
    Ok(())
}
