//! `cargo xtask programs`: over a bundle, no server starts a program. strace(1) watches every server while it answers
//! the cases of the golden tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cases::{self, Case};
use crate::mcp::{Era, Session};
use crate::workspace::{Crate, Result, Workspace};

/// Watches all servers over all bundles that the cases ask about.
pub(crate) fn run() -> Result {
    let workspace = Workspace::open()?;
    workspace.build_layers()?;
    let mut calls = 0;
    for layer in workspace.layers() {
        let mut scenarios: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        for case in cases::of(&workspace, layer)? {
            scenarios.entry(case.scenario.clone()).or_default().push(case);
        }
        for (scenario, cases) in &scenarios {
            let sources = workspace.sources(scenario);
            // A recording of the lab is not a bundle.
            if sources.iter().all(|source| source.starts_with("--bundle=")) {
                calls += watch(&workspace, layer, &sources, cases)?;
            }
        }
    }
    // A check that looks at nothing would always pass.
    if calls < 100 {
        return Err(format!("only {calls} calls were answered").into());
    }
    println!("{calls} answers from bundles started no program");
    Ok(())
}

/// Watches the calls of some cases, and returns the number of answers that are not errors.
fn watch(workspace: &Workspace, layer: &Crate, sources: &[String], cases: &[Case]) -> Result<usize> {
    let scratch = workspace.sh.create_temp_dir()?;
    let log = scratch.path().join("calls");
    let mut arguments: Vec<String> = ["-f", "-qq", "-e", "trace=execve,execveat", "-e", "signal=none", "-o"]
        .into_iter()
        .chain([log.to_str().ok_or("the path of the log is not valid UTF-8")?])
        .map(str::to_owned)
        .collect();
    arguments.push(workspace.binary(layer).display().to_string());
    arguments.extend(sources.iter().cloned());
    let mut session = Session::start(&workspace.sh, Path::new("strace"), &arguments, Era::Initialize)
        .map_err(|e| format!("strace, which watches the servers, does not run (package strace): {e}"))?;
    session.open()?;
    let mut answers = 0;
    for case in cases {
        answers += usize::from(session.call(&case.tool, &Value::Object(case.params.clone()))?.is_ok());
    }
    session.close()?;
    let started: Vec<String> =
        fs::read_to_string(&log)?.lines().filter(|line| line.contains("exec")).map(str::to_owned).collect();
    match started.as_slice() {
        // The server itself.
        [_own] => Ok(answers),
        [] => Err(format!("{}: strace did not see the server start", layer.name).into()),
        [_own, others @ ..] => {
            Err(format!("{} starts programs when it reads {sources:?}:\n{}", layer.name, others.join("\n"))
                .into())
        }
    }
}
