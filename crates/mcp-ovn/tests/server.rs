//! The server as its clients see it: the list of tools, the prompts and the command line.

use mcp_testing::{Connection, Failed, problems_of_prompts, scenario, testdata, tools_list};
use serde_json::{Map, Value, json};
use std::process::{Output, Stdio};

/// The list must stay within the budget of docs/architecture.md, so that the other servers fit too.
#[test]
fn the_list_of_tools() -> Result<(), Failed> {
    tools_list(mcp_ovn::layer())
}

/// A prompt must not name tools or parameters that do not exist.
#[test]
fn prompts_name_existing_tools_and_parameters() {
    assert_eq!(problems_of_prompts(&mcp_ovn::layer()), [""; 0]);
}

#[tokio::test]
async fn arguments_of_prompts_are_completed() -> Result<(), Failed> {
    let connection = Connection::open(mcp_ovn::layer(), scenario("capture")).await?;
    let node = &[("node_name", "ovn-worker2")];
    let routers = connection.complete("explain_datapath", "datapath", "gr_", node).await?;
    assert_eq!(routers, ["GR_ovn-worker2"]);
    let switches = connection.complete("explain_datapath", "datapath", "transit", node).await?;
    assert_eq!(switches, ["transit_switch", "blue_l3.secondary_transit_switch"]);
    let nodes = connection.complete("explain_datapath", "node_name", "ovn-w", &[]).await?;
    assert_eq!(nodes, ["ovn-worker", "ovn-worker2"]);
    let tables = connection.complete("compare_zones", "table", "logical_sw", &[]).await?;
    assert_eq!(tables, ["Logical_Switch", "Logical_Switch_Port", "Logical_Switch_Port_Health_Check"]);
    let all = connection.complete("compare_zones", "table", "", &[]).await?;
    assert!(["Port_Binding", "NAT"].iter().all(|table| all.iter().any(|name| name == table)), "{all:?}");
    // A name that is not an argument of the prompt has no completions.
    assert_eq!(connection.complete("compare_zones", "datapath", "", &[]).await?, [""; 0]);
    Ok(())
}

fn server(args: &[&str]) -> Result<Output, Failed> {
    let bundle = format!("--bundle={}", testdata().join("capture/must-gather.tar.xz").display());
    #[expect(clippy::disallowed_methods, reason = "a test starts the server as a client does")]
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-ovn"));
    Ok(command.arg(bundle).args(args).stdin(Stdio::null()).output()?)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn call_prints_the_answer_of_a_client() -> Result<(), Failed> {
    let output = server(&["call", "ovn_nbctl_show", "node_name=ovn-worker", "of=join"])?;
    assert!(output.status.success());
    let connection = Connection::open(mcp_ovn::layer(), scenario("capture")).await?;
    let params: Map<String, Value> =
        json!({ "node_name": "ovn-worker", "of": "join" }).as_object().cloned().unwrap_or_default();
    assert_eq!(Ok(out(&output)), connection.call("ovn_nbctl_show", &params).await?);
    Ok(())
}

#[test]
fn command_line_options_take_effect() -> Result<(), Failed> {
    let tools = server(&["tools"])?;
    assert_eq!(out(&tools).lines().count(), mcp_ovn::layer().tools.len());
    let kept = server(&["--toolset=sb,ovn_db_status", "tools"])?;
    assert!(out(&kept).contains("ovn_sbctl_show") && out(&kept).contains("ovn_db_status"));
    assert!(!out(&kept).contains("ovn_nbctl_show"));
    for (args, said) in [
        (&["--toolset=nbb", "tools"][..], "no tool or toolset is named `nbb`\nhint: Did you mean: nb, "),
        (
            &["call", "ovn_nbctl_shwo", "node_name=all"],
            "no tool is named `ovn_nbctl_shwo`\nhint: Did you mean: ovn_nbctl_show, ",
        ),
        (&["--toolset=nb", "call", "ovn_sbctl_show", "node_name=all"], "no tool is named `ovn_sbctl_show`"),
        (&["call", "ovn_nbctl_show"], "parameter `node_name` is missing"),
        (&["--max-bytes=1", "tools"], "the size must be from 1000 to 10000000 bytes"),
        (&["--local", "tools"], "cannot be used with"),
        (&["--local=worker", "coverage"], "cannot be used with"),
    ] {
        let output = server(args)?;
        assert!(!output.status.success(), "{args:?}");
        assert!(err(&output).contains(said), "{args:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{args:?}");
    }
    Ok(())
}

#[test]
fn an_answer_stays_within_its_size_limit() -> Result<(), Failed> {
    let output = server(&["--max-bytes=1500", "call", "ovn_nbctl_show", "node_name=ovn-worker"])?;
    assert!(output.stdout.len() <= 1_500, "{}", output.stdout.len());
    assert!(out(&output).contains("note: rows 1 to "), "{}", out(&output));
    Ok(())
}

#[test]
fn a_client_that_goes_away_ends_the_server() -> Result<(), Failed> {
    let output = server(&[])?;
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(out(&output), "");
    Ok(())
}
