//! What all servers together cost a model, and that a list that is too large is found.

use mcp_testing::{ALL_SCHEMA_BYTES, Failed, SCHEMA_BYTES, problems_of_sizes};
use serde_json::Value;
use std::path::Path;

/// The lists of tools of all layers, as their snapshots have them, which the layers' own tests compare with the servers.
fn lists() -> Result<Vec<(String, usize)>, Failed> {
    let mut lists = Vec::new();
    for layer in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?.flatten() {
        let snapshot = layer.path().join("tests/snapshots/server__tools_list.snap");
        let Ok(text) = std::fs::read_to_string(&snapshot) else { continue };
        let (_, list) = text.split_once("\n---\n").ok_or("a snapshot without a head")?;
        let list: Value = serde_json::from_str(list)?;
        lists.push((layer.file_name().to_string_lossy().into_owned(), list.to_string().len()));
    }
    Ok(lists)
}

#[test]
fn all_servers_together_are_not_too_large() -> Result<(), Failed> {
    let lists = lists()?;
    assert!(lists.len() >= 4, "only {lists:?} have a snapshot of their tools");
    assert_eq!(problems_of_sizes(lists.iter().map(|(name, bytes)| (name.as_str(), *bytes))), [""; 0]);
    Ok(())
}

#[test]
fn the_limit_that_was_passed_is_named() {
    let one = problems_of_sizes([("mcp-a", SCHEMA_BYTES + 1), ("mcp-b", SCHEMA_BYTES)]);
    assert_eq!(one.len(), 1, "{one:?}");
    assert!(one[0].contains("mcp-a has 16001 bytes; the limit of one server is 16000"), "{one:?}");
    assert!(one[0].contains("docs/adding-a-tool.md"), "{one:?}");
    let all = problems_of_sizes([("mcp-a", SCHEMA_BYTES); ALL_SCHEMA_BYTES / SCHEMA_BYTES + 1]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("64000 bytes; the limit of all together is 56000"), "{all:?}");
}
