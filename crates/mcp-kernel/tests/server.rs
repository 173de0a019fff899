//! The server as its clients see it.

/// It leaves room for the other servers: docs/architecture.md.
#[test]
fn the_list_of_tools() -> Result<(), mcp_testing::Failed> {
    mcp_testing::tools_list(mcp_kernel::layer())
}

/// A prompt that asks for what does not exist sends the model into the void.
#[test]
fn prompts_ask_for_what_there_is() {
    assert_eq!(mcp_testing::problems_of_prompts(&mcp_kernel::layer()), [""; 0]);
}
