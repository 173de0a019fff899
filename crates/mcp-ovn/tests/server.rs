//! The server as its clients see it: the list of tools, the prompts and the command line.

use mcp_testing::{
    Connection, Failed, problems_of_examples, problems_of_prompts, scenario, testdata, tools_list,
};
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
fn a_tool_explains_its_parameters_and_gives_examples() -> Result<(), Failed> {
    let described = server(&["tools", "ovn_nbctl_list"])?;
    assert!(described.status.success(), "{}", err(&described));
    let helped = server(&["call", "ovn_nbctl_list", "--help"])?;
    assert!(helped.status.success(), "{}", err(&helped));
    let layer = mcp_ovn::layer();
    let tool = layer.tools.iter().find(|tool| tool.name == "ovn_nbctl_list").ok_or("no tool")?;
    let parameters = tool.schema["properties"].as_object().ok_or("no parameters")?;
    for text in [out(&described), out(&helped)] {
        for (name, property) in parameters {
            let description = property["description"].as_str().ok_or("no description")?.replace('\n', " ");
            assert!(text.contains(&format!("\n  {name}=")) && text.contains(&description), "{name}: {text}");
        }
        assert!(text.contains("  table=TEXT (required)\n"), "{text}");
        assert!(text.contains("Examples:\n  mcp-ovn call ovn_nbctl_list "), "{text}");
        assert!(text.contains(" 'where=priority>1000' "), "{text}");
    }
    let all = out(&server(&["call", "--help"])?);
    assert!(all.contains("--json") && all.contains("ovn_sbctl_lflow_list"), "{all}");
    let unknown = server(&["tools", "ovn_nbctl_shwo"])?;
    assert!(
        err(&unknown).contains("no tool is named `ovn_nbctl_shwo`\nhint: Did you mean: ovn_nbctl_show, ")
    );
    Ok(())
}

#[test]
fn a_condition_can_be_written_as_text() -> Result<(), Failed> {
    let list = |conditions: &[&str]| -> Result<String, Failed> {
        let mut args =
            vec!["call", "ovn_nbctl_list", "node_name=ovn-worker", "table=ACL", "columns=_uuid,priority"];
        args.extend(conditions);
        let output = server(&args)?;
        assert!(output.status.success(), "{}", err(&output));
        Ok(out(&output).lines().skip(1).map(|line| format!("{line}\n")).collect())
    };
    let object = r#"where={"column":"priority","op":"==","value":"1001"}"#;
    let by_object = list(&[object])?;
    assert!(by_object.contains("priority            : 1001"), "{by_object}");
    assert_eq!(list(&["where=priority=1001"])?, by_object);
    let key = "where=external_ids:k8s.ovn.org/owner-type=NetworkPolicy";
    let both = list(&[key, "where=direction!=to-lport"])?;
    let objects = r#"where=[{"column":"external_ids:k8s.ovn.org/owner-type","value":"NetworkPolicy"},
                            {"column":"direction","op":"!=","value":"to-lport"}]"#;
    assert_eq!(both, list(&[objects])?);
    assert_ne!(both, list(&[key])?);
    let none = list(&["where=name=a,b"])?;
    assert_eq!(none, "no row of ACL matches name == \"a,b\"\n");
    let wrong = server(&["call", "ovn_nbctl_list", "node_name=ovn-worker", "table=ACL", "where=priority"])?;
    assert!(
        err(&wrong).contains("`priority` is not a condition; write column=value, column!=value"),
        "{}",
        err(&wrong)
    );
    Ok(())
}

/// The JSON of an answer has the rows and the notes of the text, and nothing else is on standard output.
#[test]
fn json_is_for_scripts() -> Result<(), Failed> {
    let call = |extra: &[&str]| -> Result<Output, Failed> {
        let mut args = vec!["call", "ovn_nbctl_list", "node_name=ovn-worker", "table=ACL", "limit=3"];
        args.extend(extra);
        server(&args)
    };
    let text = out(&call(&[])?);
    let json: Value = serde_json::from_str(&out(&call(&["--json"])?))?;
    let rows = json["rows"].as_array().ok_or("no rows")?;
    assert_eq!((rows.len(), &json["total"], &json["remaining"]), (3, &json!(27), &json!(24)));
    for row in rows {
        for column in ["_uuid", "action", "direction", "match"] {
            assert!(text.contains(row[column].as_str().ok_or("no column")?), "{column}: {row}");
        }
        let priority = row["priority"].as_i64().ok_or("no number")?;
        assert!(text.contains(&format!("priority            : {priority}\n")), "{row}");
        assert_eq!(
            row["external_ids"]["k8s.ovn.org/owner-controller"], "default-network-controller",
            "{row}"
        );
        assert!(row["(of)"][0].as_str().is_some_and(|of| text.contains(of)), "{row}");
    }
    // A tool that prints lines gives the same lines.
    let lines = out(&server(&["call", "--json", "ovn_nbctl_show", "node_name=ovn-worker", "of=join"])?);
    let lines: Value = serde_json::from_str(&lines)?;
    assert!(lines["rows"][0]["text"].as_str().is_some_and(|text| text.contains("(join)")), "{lines}");
    let first = text.lines().next().ok_or("no line")?;
    let title = json["title"].as_str().ok_or("no title")?;
    let known = first.rsplit_once("; ").map(|(first, _)| first);
    assert_eq!(known, Some(format!("# {title}").as_str()));
    assert!(json["evidence"].as_str().is_some_and(|uri| uri.starts_with("evidence://mcp-ovn/")), "{json}");
    let evidence = call(&["--json", "--evidence"])?;
    assert!(err(&evidence).contains("ovnkube-node-vwrjk_nbdb"), "{}", err(&evidence));
    // Whole rows are left out, so that the document stays valid.
    let cut = server(&[
        "--max-bytes=2000",
        "call",
        "--json",
        "ovn_nbctl_list",
        "node_name=ovn-worker",
        "table=ACL",
    ])?;
    assert!(cut.stdout.len() <= 2_000, "{}", cut.stdout.len());
    let cut: Value = serde_json::from_str(&out(&cut))?;
    let shown = cut["rows"].as_array().map_or(0, Vec::len);
    assert!(shown > 0 && cut["remaining"] == json!(27 - shown), "{cut}");
    let empty = out(&server(&["call", "--json", "ovn_nbctl_list", "node_name=ovn-worker", "table=BFD"])?);
    let empty: Value = serde_json::from_str(&empty)?;
    assert_eq!((&empty["rows"], &empty["notes"][0]), (&json!([]), &json!("table BFD is empty")));
    let failed = call(&["--json", "record=nothing"])?;
    assert!(!failed.status.success() && out(&failed).is_empty() && err(&failed).starts_with("error: no row"));
    Ok(())
}

/// Asks for completions as the shells do (fish, which needs no variables).
#[test]
fn arguments_of_tools_are_completed_in_a_shell() -> Result<(), Failed> {
    let complete = |words: &[&str]| -> Result<Vec<String>, Failed> {
        #[expect(clippy::disallowed_methods, reason = "a test starts the server as a shell does")]
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-ovn"));
        let output = command.env("COMPLETE", "fish").args(["--", "mcp-ovn"]).args(words).output()?;
        assert!(output.status.success(), "{}", err(&output));
        let word = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        Ok(out(&output).lines().map(word).filter(|word| !word.starts_with('-')).collect())
    };
    assert_eq!(complete(&["call", "ovn_nbctl_s"])?, ["ovn_nbctl_show"]);
    assert_eq!(complete(&["call", "ovn_nbctl_list", "t"])?, ["table=", "timeout_seconds="]);
    assert_eq!(complete(&["call", "ovn_nbctl_list", "table=ACL", "rec"])?, ["record="]);
    assert_eq!(complete(&["call", "ovn_db_status", "history="])?, ["history=nb", "history=sb"]);
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

#[test]
fn each_tool_has_an_example_that_works() -> Result<(), Failed> {
    assert_eq!(problems_of_examples(mcp_ovn::layer, &["capture", "bundles/joined"])?, [""; 0]);
    Ok(())
}
