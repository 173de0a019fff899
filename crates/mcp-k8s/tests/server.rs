//! Tests the server as its clients see it.

use std::process::Stdio;

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

fn command(program: &str) -> std::process::Command {
    #[expect(clippy::disallowed_methods, reason = "a test starts the server as a person does")]
    std::process::Command::new(program)
}

#[test]
fn a_server_on_a_terminal_says_what_it_waits_for() -> Result<(), mcp_testing::Failed> {
    let program = env!("CARGO_BIN_EXE_mcp-k8s");
    let server = format!("{program} --bundle {}", env!("CARGO_MANIFEST_DIR"));
    // The program runs on a terminal of `script`, which ends its input at once.
    let on_terminal = command("script").args(["-qec", &server, "/dev/null"]).stdin(Stdio::null()).output()?;
    let printed = String::from_utf8(on_terminal.stdout)?;
    for wanted in ["mcp-k8s reads ", "an MCP client on standard input", "mcp-k8s call TOOL --help"] {
        assert!(printed.contains(wanted), "{printed:?}");
    }
    let for_client =
        command(program).args(["--bundle", env!("CARGO_MANIFEST_DIR")]).stdin(Stdio::null()).output()?;
    assert!(for_client.stderr.is_empty(), "{:?}", String::from_utf8_lossy(&for_client.stderr));
    Ok(())
}
