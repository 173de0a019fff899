//! The list of tools as clients see it.

use mcp_testing::{Connection, Failed, problems_of_examples, problems_of_prompts, scenario, tools_list};

/// The list leaves room for the other servers: docs/architecture.md.
#[test]
fn the_list_of_tools() -> Result<(), Failed> {
    tools_list(mcp_ovs::layer())
}

/// A prompt that names a missing tool misleads the model.
#[test]
fn prompts_name_only_existing_tools() {
    assert_eq!(problems_of_prompts(&mcp_ovs::layer()), [""; 0]);
}

/// The names come from the schema of conf.db, or from the reports if conf.db was not collected.
#[tokio::test]
async fn tables_are_completed() -> Result<(), Failed> {
    let tables = async |source: &str, typed: &str| {
        let connection = Connection::open(mcp_ovs::layer(), scenario(source)).await?;
        connection.complete("compare_switches", "table", typed, &[]).await
    };
    assert_eq!(tables("kernel-datapath", "inter").await?, ["Interface"]);
    assert_eq!(tables("kernel-datapath", "ct_").await?, ["CT_Timeout_Policy", "CT_Zone"]);
    let listed = ["Bridge", "Datapath", "Interface", "Manager", "Open_vSwitch"];
    assert_eq!(tables("bundles/sosreports", "").await?, listed);
    Ok(())
}

#[test]
fn each_tool_has_an_example_that_works() -> Result<(), Failed> {
    assert_eq!(problems_of_examples(mcp_ovs::layer, &["kernel-datapath", "bundles/joined"])?, [""; 0]);
    Ok(())
}
