//! The MCP Inspector: a client of another project, which does not share our mistakes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xshell::cmd;

use super::{Subject, check};
use crate::installed;
use crate::mcp::Era;
use crate::workspace::{Result, Workspace};

/// The number of tools that the Inspector calls; it calls the first tools that answered the probe.
const CALLS: usize = 2;

/// Lets the Inspector list and call tools, in both versions of the protocol.
pub(super) fn inspect(
    workspace: &Workspace,
    subject: &Subject<'_>,
    answers: &BTreeMap<String, std::result::Result<String, String>>,
) -> Result {
    let program = installed::of_node(workspace, "inspector", "mcp-inspector")?;
    let name = &subject.layer.name;
    let answered: Vec<_> =
        answers.iter().filter_map(|(tool, answer)| Some((tool, answer.as_ref().ok()?))).collect();
    for era in Era::ALL {
        let config = json!({ "mcpServers": { name: {
            "type": "stdio",
            "command": workspace.binary(subject.layer),
            "args": subject.sources,
            "env": { "RUST_LOG": "error" },
            "protocolEra": if era == Era::Discover { "modern" } else { "legacy" },
        }}});
        let file = workspace.cache("inspector")?.join(format!("{name}.json"));
        workspace.sh.write_file(&file, config.to_string())?;
        let run = |arguments: &[&str]| -> Result<Value> {
            let inspector = &program;
            let command = cmd!(
                workspace.sh,
                "{inspector} --cli --config {file} --server {name} --format json {arguments...}"
            );
            let output =
                command.env("MCP_INSPECTOR_SECRET_STORE", "memory").quiet().ignore_status().output()?;
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let said = err
                .lines()
                .filter(|line| !line.starts_with("[mcp-inspector]"))
                .collect::<Vec<_>>()
                .join("\n");
            let fine = output.status.success() && said.is_empty();
            check(fine, || format!("inspector {}: {}\n{said}", arguments.join(" "), output.status))?;
            let value: Value = serde_json::from_str(&out)?;
            Ok(value.get("result").cloned().unwrap_or_default())
        };
        let tools = run(&["--method", "tools/list", "--strict"])?;
        let listed = tools.get("tools").and_then(Value::as_array).map_or(0, Vec::len);
        check(listed > 0, || "inspector: no tools".into())?;
        let mut called = 0;
        for (tool, answer) in answered.iter().take(CALLS) {
            let params =
                subject.cases.get(*tool).map(|case| Value::Object(case.params.clone())).unwrap_or_default();
            let params = params.to_string();
            let result = run(&["--method", "tools/call", "--tool-name", tool, "--tool-args-json", &params])?;
            let text = result.pointer("/content/0/text").and_then(Value::as_str);
            check(text == Some(answer.as_str()), || format!("inspector: {tool} answered {text:?}"))?;
            called += 1;
        }
        check(called > 0, || "inspector: no tool could be called".into())?;
        println!(
            "{name} {}: the Inspector lists {listed} tools without a warning and called {called}",
            era.version()
        );
    }
    Ok(())
}
