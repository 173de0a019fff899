//! Tests hostile arguments for every parameter of every tool: each call is answered, the answer is well-formed, and it
//! is not longer than the limit.

use super::{Case, Connection, Failed, scenario, testdata};
use mcp_core::{Budget, Layer};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Returns values that no engineer would pass.
fn hostile() -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let mut all: Vec<Value> = [
        "",
        "-x",
        "--",
        "--db=tcp:192.0.2.1:6641",
        "a;b|c&d `id` $(id) ${IFS} > /tmp/x",
        "../../../../etc/shadow",
        "/proc/self/environ",
        "a\nb\r\nc\0d\u{1b}[31m",
        "\u{202e}\u{200b}\u{e0041}é\u{feff}",
        "%s%n{}{0}\\u0000",
        "'\"`\\",
        "(?:[a-m][a-z]{1,40}){1,40}[b-d]{9}",
        "(((((((((((a+)+)+)+)+)+)+)+)+)+)+)$",
        "[[[[[[",
        "99999999999999999999999999",
        "-9223372036854775809",
        "ff02::1%eth0",
        "*",
    ]
    .into_iter()
    .map(Value::from)
    .collect();
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
    let parameters: BTreeMap<String, Vec<String>> = layer()
        .tools
        .iter()
        .map(|tool| {
            let all = tool.schema.get("properties").and_then(Value::as_object);
            (tool.name.to_owned(), all.into_iter().flatten().map(|(name, _)| name.clone()).collect())
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut calls = 0;
        for (name, usual) in &usual {
            let connection = Connection::open(layer(), scenario(name)).await?;
            for (tool, params) in usual {
                let before = connection.call(tool, params).await?;
                for parameter in parameters.get(tool).into_iter().flatten() {
                    for value in hostile() {
                        let mut params = params.clone();
                        params.insert(parameter.clone(), value);
                        check(tool, parameter, &connection.call(tool, &params).await?);
                        calls += 1;
                    }
                }
                // The tool must still answer as before.
                let after = connection.call(tool, params).await?;
                assert_eq!(before.is_ok(), after.is_ok(), "{tool} after hostile calls: {after:?}");
            }
        }
        Ok(calls)
    })
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
