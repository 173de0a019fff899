//! Tests hostile arguments for every parameter of every tool: each call is answered, the answer is well-formed, and it
//! is not longer than the limit.

use super::{Case, Connection, Failed, scenario, testdata};
use mcp_core::{Budget, Layer};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Each parameter gets one of this many parts of the hostile texts, so that a tool with a few parameters gets all of
/// them.
const PARTS: usize = 3;

/// Returns values that no engineer would pass to the parameter of this number: texts that `cargo xtask soak` also
/// passes to live servers, and values of wrong types and sizes.
fn hostile(number: usize) -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let texts: Vec<String> =
        serde_json::from_str(include_str!("../../../testdata/hostile.json")).expect("a list of texts");
    let texts = texts.into_iter().skip(number % PARTS).step_by(PARTS);
    let mut all: Vec<Value> = texts.map(Value::from).collect();
    all.extend([
        json!("x".repeat(900_000)),
        json!("a,".repeat(20_000)),
        json!((0..10_000).collect::<Vec<_>>()),
        json!({ "a": { "b": [null] } }),
        json!(-1),
        json!(u64::MAX),
        json!(1e308),
        json!(0.5),
        json!(true),
        deep,
    ]);
    all
}

/// Calls each tool that has a golden case, with each of its parameters replaced in turn, and returns the number of
/// calls.
pub fn attack(layer: fn() -> Layer, cases: &Path) -> Result<usize, Failed> {
    // The usual parameters are stored by scenario and tool.
    let mut usual: BTreeMap<String, BTreeMap<String, Map<String, Value>>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(cases)?.flatten().map(|file| file.path()).collect();
    files.sort();
    for file in files {
        let Case { scenario, tool, params } = Case::read(&file)?;
        // The cases of the lab are skipped, because they need a running lab.
        if testdata().join(&scenario).is_dir() && known.insert(tool.clone()) {
            usual.entry(scenario).or_default().insert(tool, params);
        }
    }
    let mut schemas: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for tool in layer().tools {
        assert!(known.contains(tool.name), "{} has no golden case", tool.name);
        let properties = tool.schema.get("properties").and_then(Value::as_object);
        schemas.insert(tool.name, properties.cloned().unwrap_or_default());
    }
    let tools: Vec<_> = usual
        .iter()
        .flat_map(|(scenario, tools)| tools.iter().map(move |(tool, params)| (scenario, tool, params)))
        .collect();
    let calls = tools.into_par_iter().map(|(scenario, tool, params)| {
        let parameters = schemas.get(tool.as_str()).into_iter().flatten();
        attack_tool(layer(), scenario, tool, params, parameters).map_err(|error| error.to_string())
    });
    Ok(calls.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
}

/// Calls a tool with each of its parameters replaced in turn, and returns the number of calls.
fn attack_tool<'a>(
    layer: Layer,
    name: &str,
    tool: &str,
    usual: &Map<String, Value>,
    parameters: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Result<usize, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let connection = Connection::open(layer, scenario(name)).await?;
        let before = connection.call(tool, usual).await?;
        let mut calls = 0;
        for (number, (parameter, schema)) in parameters.enumerate() {
            for value in hostile(number) {
                let mut params = usual.clone();
                params.insert(parameter.clone(), within(schema, value));
                check(tool, parameter, &connection.call(tool, &params).await?);
                calls += 1;
            }
        }
        // The tool must still answer as before.
        let after = connection.call(tool, usual).await?;
        assert_eq!(before.is_ok(), after.is_ok(), "{tool} after hostile calls: {after:?}");
        Ok(calls)
    })
}

/// Puts a text where a parameter takes text: into a list, and into the fields of an object. Other values stay as they
/// are, because their type is the attack.
fn within(schema: &Value, value: Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("array") if value.is_string() => {
            json!([within(schema.get("items").unwrap_or(&Value::Null), value)])
        }
        Some("object") if value.is_string() => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let field = |(name, schema): (&String, &Value)| {
                let first = schema.get("enum").and_then(|values| values.get(0)).cloned();
                (name.clone(), first.unwrap_or_else(|| within(schema, value.clone())))
            };
            properties.into_iter().flatten().map(field).collect::<Map<_, _>>().into()
        }
        _ => value,
    }
}

fn check(tool: &str, parameter: &str, answer: &Result<String, String>) {
    let shown = || format!("{tool} with a hostile {parameter}: {:.300}", format!("{answer:?}"));
    let text = answer.as_ref().unwrap_or_else(|error| error);
    assert!(text.len() <= Budget::default().bytes, "{} bytes: {}", text.len(), shown());
    assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{}", shown());
    if let Err(error) = answer {
        assert!(error.starts_with("error: ") && error.contains("\nhint: "), "{}", shown());
    }
}
