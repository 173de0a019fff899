//! A report of an older version of sos, which has no manifest and no file with the name of its host.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use mcp_core::Bundle;
use mcp_testing::{Case, Failed, answer, unpack};
use serde_json::json;
use std::{fs, path::PathBuf, sync::Arc};

/// Creates a report that contains only `ip addr show`, in a folder of this name.
fn report(dir: &tempfile::TempDir, folder: &str) -> Result<PathBuf, Failed> {
    unpack("forms/outputs.tar.xz", dir.path())?;
    let report = dir.path().join(folder);
    fs::create_dir_all(report.join("sos_commands/networking"))?;
    fs::copy(dir.path().join("outputs/ip_addr"), report.join("sos_commands/networking/ip_addr_show"))?;
    Ok(report)
}

fn ask(report: PathBuf, tool: &str, node: &str) -> Result<String, Failed> {
    let params = json!({ "node_name": node }).as_object().unwrap().clone();
    let case = Case { scenario: String::new(), tool: tool.into(), params };
    answer(mcp_kernel::layer(), Arc::new(Bundle::new(vec![report])), &case)
}

#[test]
fn the_folder_names_the_host_and_ip_addr_show_is_read() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(&dir, "sosreport-node-7-2021-03-01-abcdefg")?;
    let text = ask(report.clone(), "ip_addr_show", "node-7")?;
    assert!(text.contains("lo:") && text.contains("inet 127.0.0.1/8"), "{text}");
    // An error about another command names what was recorded.
    let text = ask(report, "ip_route_show", "node-7")?;
    assert!(text.contains("Collected instead: `ip_addr_show` in sosreport-node-7"), "{text}");
    Ok(())
}

#[test]
fn a_report_of_an_unknown_host_says_so() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let text = ask(report(&dir, "report")?, "ip_addr_show", "node-7")?;
    assert!(text.contains("is a sosreport of an unknown host"), "{text}");
    assert!(!text.contains("none of its"), "{text}");
    Ok(())
}
