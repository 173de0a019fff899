//! The examples of a layer's tools, which people paste into a shell.

use crate::{Connection, Failed, scenario};
use mcp_core::Layer;
use serde_json::{Map, Value};

/// Returns the problems of a layer's examples: a tool without one, or a call that no scenario answers. A tool that
/// needs a live source is answered with that reason.
pub fn problems_of_examples(layer: fn() -> Layer, scenarios: &[&str]) -> Result<Vec<String>, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(problems(layer, scenarios))
}

async fn problems(layer: fn() -> Layer, scenarios: &[&str]) -> Result<Vec<String>, Failed> {
    let (tools, examples) = (layer().tools, layer().examples);
    let has = |tool: &str| examples.iter().any(|example| example.tool == tool);
    let mut problems: Vec<String> = tools
        .iter()
        .filter(|tool| !has(tool.name))
        .map(|tool| format!("{} has no example", tool.name))
        .collect();
    let mut connections = Vec::new();
    for name in scenarios {
        connections.push(Connection::open(layer(), scenario(name)).await?);
    }
    for example in examples {
        let mut params: Map<String, Value> = Map::new();
        for (key, value) in example.arguments.iter().filter_map(|argument| argument.split_once('=')) {
            let values = params.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            values.as_array_mut().into_iter().for_each(|values| values.push(value.into()));
        }
        for values in params.values_mut() {
            if let Some([one]) = values.as_array().map(Vec::as_slice) {
                *values = one.clone();
            }
        }
        let mut errors = Vec::new();
        for connection in &connections {
            match connection.call(example.tool, &params).await? {
                Ok(_) => errors.clear(),
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            }
            break;
        }
        if !errors.is_empty() && !errors.iter().all(|error| error.contains("this needs a live source")) {
            problems.push(format!("{example:?}: {}", errors.join("\n")));
        }
    }
    Ok(problems)
}
