//! Hostile arguments for every parameter of every tool, while strace(1) watches the server in the lab.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::allowed::Allowed;
use super::trace::Tracer;
use crate::cases;
use crate::soak::{self, Random, Tool, Words};
use crate::workspace::{Crate, Result, Workspace};

/// The fewest commands and kinds of commands that a run must see, because a check of nothing would always pass.
const FEWEST: (usize, usize) = (100, 20);

/// Watches all servers in a lab, and makes this number of calls for each parameter.
pub(crate) fn attack(workspace: &Workspace, lab: &Path, values: usize, seed: u64) -> Result {
    let (mut commands, mut kinds) = (0, 0);
    let mut random = Random::new(seed);
    for layer in workspace.layers() {
        let seen = watch(workspace, layer, &soak::local(lab), values, &mut random)
            .map_err(|error| format!("{} (seed {seed}): {error}", layer.name))?;
        commands += seen.0;
        kinds += seen.1;
    }
    let (fewest, fewest_kinds) = FEWEST;
    if commands < fewest || kinds < fewest_kinds {
        return Err(format!("only {commands} commands of {kinds} kinds were watched").into());
    }
    println!("{commands} commands of {kinds} kinds: all are listed, and none changed a file");
    Ok(())
}

/// Watches one server, and returns the number of its commands and of their kinds.
fn watch(
    workspace: &Workspace,
    layer: &Crate,
    source: &[String],
    values: usize,
    random: &mut Random,
) -> Result<(usize, usize)> {
    let (tracer, server, start) = (Tracer::new(&workspace.sh)?, workspace.binary(layer), Instant::now());
    let mut session = tracer.start(&workspace.sh, &server, source)?;
    let list = session.expect("tools/list", json!({}))?;
    let mut known: BTreeMap<String, Vec<Map<String, Value>>> = BTreeMap::new();
    for case in cases::with_lab(workspace, layer)?.into_iter().filter(cases::Case::is_of_lab) {
        known.entry(case.tool).or_default().push(case.params);
    }
    let (mut calls, mut words) = (0, Words::new());
    for entry in list.get("tools").and_then(Value::as_array).into_iter().flatten() {
        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
        let tool =
            Tool::new(entry, known.remove(name).unwrap_or_default()).ok_or("a tool without a schema")?;
        for arguments in tool.attacks(values, &words, random) {
            let request = json!({ "name": tool.name, "arguments": arguments });
            // A refusal, an error and an answer are alike here.
            if let Ok(result) =
                session.request("tools/call", request).map_err(|e| format!("{name} {arguments}: {e}"))?
                && let Ok(text) = crate::mcp::said(&result)?
            {
                words.learn(&text, random);
            }
            calls += 1;
        }
    }
    session.close()?;
    let (commands, kinds) = Allowed::of(workspace, layer)?.judge(&tracer.seen(&server)?)?;
    println!(
        "{:12} {calls:5} hostile calls, {commands:5} commands of {kinds:3} kinds in {:.0?}",
        layer.name,
        start.elapsed()
    );
    Ok((commands, kinds))
}
