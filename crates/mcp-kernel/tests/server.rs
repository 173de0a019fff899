//! The server as its clients see it.

use mcp_core::testing::{Connection, Failed, scenario};

/// A changed description or parameter is a reviewed change: it costs every model its tokens.
#[tokio::test]
async fn the_list_of_tools() -> Result<(), Failed> {
    let connection = Connection::open(mcp_kernel::layer(), scenario("kernel")).await?;
    let tools = connection.tools().await?.tools;
    let text = serde_json::to_string(&tools)?;
    assert!(text.len() < 14_000, "tools/list has {} bytes", text.len());
    for tool in &tools {
        let hints = tool.annotations.as_ref().ok_or("no annotations")?;
        assert_eq!(
            (hints.read_only_hint, hints.destructive_hint),
            (Some(true), Some(false)),
            "{}",
            tool.name
        );
        let description = tool.description.as_deref().ok_or("no description")?;
        let sentences = description.matches(". ").count() + description.matches("? ").count() + 1;
        assert!(sentences <= 3 && description.len() < 700, "{}: {sentences} sentences", tool.name);
    }
    insta::assert_snapshot!("tools_list", serde_json::to_string_pretty(&tools)?);
    Ok(())
}
