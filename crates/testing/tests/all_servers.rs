//! Tests that the tool lists of all servers together stay within their limits, and that the check of the limits works.

use mcp_testing::{ALL_SCHEMA_BYTES, Failed, SCHEMA_BYTES, problems_of_sizes};
use serde_json::Value;
use std::path::Path;

/// Returns the tool lists of all layers from their snapshots. The layers' own tests compare these snapshots with the
/// servers.
fn lists() -> Result<Vec<(String, Value)>, Failed> {
    let mut lists = Vec::new();
    for layer in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?.flatten() {
        let snapshot = layer.path().join("tests/snapshots/server__tools_list.snap");
        let Ok(text) = std::fs::read_to_string(&snapshot) else { continue };
        let (_, list) = text.split_once("\n---\n").ok_or("the snapshot has no header")?;
        lists.push((layer.file_name().to_string_lossy().into_owned(), serde_json::from_str(list)?));
    }
    Ok(lists)
}

#[test]
fn all_servers_together_are_not_too_large() -> Result<(), Failed> {
    let lists = lists()?;
    assert!(lists.len() >= 4, "only {} layers have a snapshot of their tools", lists.len());
    let sizes = lists.iter().map(|(name, list)| (name.as_str(), list.to_string().len()));
    assert_eq!(problems_of_sizes(sizes), [""; 0]);
    Ok(())
}

/// Core serves layers that are released separately, so its texts must not name their tools.
#[test]
fn core_names_no_tool_of_a_layer() -> Result<(), Failed> {
    let mut names = Vec::new();
    for list in lists()?.into_iter().map(|(_, list)| list) {
        let tools = list.as_array().ok_or("no array")?;
        names.extend(tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned));
    }
    assert!(names.iter().any(|name| name == "kubectl_get"), "{names:?}");
    let (mut found, mut files) = (Vec::new(), 0);
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-core/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named = |line: &&str| {
                line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .any(|word| names.iter().any(|name| name == word))
            };
            let is_test = path.ends_with("tests.rs");
            found.extend(
                code.filter(named).filter(|_| !is_test).map(|line| format!("{}: {line}", path.display())),
            );
        }
    }
    assert!(files > 100, "only {files} files were checked");
    assert_eq!(found, [""; 0]);
    Ok(())
}

#[test]
fn the_exceeded_limit_is_named() {
    let one = problems_of_sizes([("mcp-a", SCHEMA_BYTES + 1), ("mcp-b", SCHEMA_BYTES)]);
    assert_eq!(one.len(), 1, "{one:?}");
    assert!(one[0].contains("mcp-a has 16001 bytes; the limit of one server is 16000"), "{one:?}");
    assert!(one[0].contains("docs/adding-a-tool.md"), "{one:?}");
    let all = problems_of_sizes([("mcp-a", SCHEMA_BYTES); ALL_SCHEMA_BYTES / SCHEMA_BYTES + 1]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("64000 bytes; the limit of all together is 56000"), "{all:?}");
}
