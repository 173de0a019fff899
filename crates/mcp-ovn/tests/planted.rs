//! No tool shows secrets: the tests plant secrets in everything that the golden cases read.

use mcp_testing::{Case, Failed, MARKS, lab, no_secrets, planted_answer};
use serde_json::json;

#[test]
fn no_tool_shows_a_secret() -> Result<(), Failed> {
    no_secrets(mcp_ovn::layer, &[])
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn no_trace_shows_a_secret() -> Result<(), Failed> {
    // The real ovn-trace in the container can print anything.
    let params = json!({
        "node_name": "ovn-worker", "from": "default/client", "to": "10.244.1.6", "port": 5432, "form": "real"
    });
    let params = params.as_object().cloned().unwrap_or_default();
    let case = Case { scenario: "lab".into(), tool: "ovn_trace".into(), params };
    let text = planted_answer(mcp_ovn::layer(), lab()?, &case)?;
    assert!(!text.starts_with("error:") && text.contains("[redacted"), "{text}");
    let leaks: Vec<&str> = text.lines().filter(|line| MARKS.iter().any(|mark| line.contains(mark))).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    Ok(())
}
