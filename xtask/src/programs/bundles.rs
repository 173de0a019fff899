//! Over a bundle, no server starts a program. strace(1) watches every server while it answers the cases of the golden
//! tests.

use std::collections::BTreeMap;

use serde_json::Value;

use super::trace::Tracer;
use crate::cases::{self, Case};
use crate::workspace::{Crate, Result, Workspace};

/// Watches all servers over all bundles that the cases ask about.
pub(super) fn run(workspace: &Workspace) -> Result {
    let mut calls = 0;
    for layer in workspace.layers() {
        let mut scenarios: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        for case in cases::of(workspace, layer)? {
            scenarios.entry(case.scenario.clone()).or_default().push(case);
        }
        for (scenario, cases) in &scenarios {
            let sources = workspace.sources(scenario);
            // A recording of the lab is not a bundle.
            if sources.iter().all(|source| source.starts_with("--bundle=")) {
                calls += watch(workspace, layer, &sources, cases)?;
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
    let (tracer, server) = (Tracer::new(&workspace.sh)?, workspace.binary(layer));
    let mut session = tracer.start(&workspace.sh, &server, sources)?;
    let mut answers = 0;
    for case in cases {
        answers += usize::from(session.call(&case.tool, &Value::Object(case.params.clone()))?.is_ok());
    }
    session.close()?;
    let started = tracer.seen(&server)?.commands;
    if started.is_empty() {
        return Ok(answers);
    }
    let started: Vec<String> = started.iter().map(|command| format!("{command:?}")).collect();
    Err(format!("{} starts programs when it reads {sources:?}:\n{}", layer.name, started.join("\n")).into())
}
