//! Hostile bundles and hostile clients under a memory limit: the server answers every call, and its process stays
//! alive.
//!
//! The kernel enforces the limit, so the tests measure neither memory nor time.

use crate::hostile;
use mcp_testing::{Failed, ServerProcess};
use serde_json::{Value, json};
use std::path::Path;

/// The memory limit of a server, in bytes: the objects of one question and their file, the stacks of all threads, and
/// the share of memory of calls that read large data.
const MEMORY: u64 = 2 << 30;

/// More calls than run at once.
const CALLS: usize = 80;

/// Starts a server over a bundle, makes calls at once and then once more, and returns the answers.
fn answers(bundle: &Path, calls: &[(&str, Value)]) -> Result<Vec<String>, Failed> {
    let arguments = ["--bundle".to_owned(), bundle.display().to_string()];
    let mut server = ServerProcess::limited(env!("CARGO_BIN_EXE_mcp-k8s"), &arguments, MEMORY)?;
    let mut answers = server.call_all(calls)?;
    assert_eq!(answers.len(), calls.len());
    // The server still answers when the hostile calls are over.
    answers.extend(server.call_all(&[("bundle_files", json!({}))])?);
    assert!(answers.iter().all(|answer| !answer.trim().is_empty()), "{answers:?}");
    let end = server.end()?;
    assert!(end.success(), "the server ended with {end}");
    Ok(answers)
}

/// Returns the same call many times.
fn many(tool: &'static str, arguments: &Value) -> Vec<(&'static str, Value)> {
    vec![(tool, arguments.clone()); CALLS]
}

#[test]
fn a_window_of_gigabytes_is_refused() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let bundle = dir.path().join("must-gather.tar.zst");
    // The archive holds 3 GiB, compressed with a window of 2 GiB.
    std::fs::write(&bundle, hostile::zstd(21 << 3, 3 << 30, hostile::BLOCK))?;
    let told = answers(&bundle, &many("cluster_overview", &json!({})))?;
    assert!(told.iter().any(|text| text.contains("bytes of memory, more than zstd's default")), "{told:?}");
    Ok(())
}

#[test]
fn many_calls_that_decompress_with_the_largest_window_are_bounded_together() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let bundle = dir.path().join("must-gather.tar.zst");
    // The window is 128 MiB, the largest allowed size, and each read of the last file decompresses 200 MiB.
    std::fs::write(&bundle, hostile::zstd(17 << 3, 200 << 20, hostile::BLOCK))?;
    let read = json!({ "path": hostile::LAST, "timeout_seconds": 60 });
    // The calls get their memory in turn. A few calls are enough: their windows would take more than the limit.
    let told = answers(&bundle, &vec![("bundle_files", read); 12])?;
    assert!(told.iter().any(|text| text.contains("the last file")), "{told:?}");
    Ok(())
}

#[test]
fn an_output_and_a_log_without_line_breaks_are_bounded() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    hostile::large_file(dir.path(), 1900 << 20)?;
    answers(dir.path(), &many("bundle_files", &json!({ "path": hostile::LARGE, "timeout_seconds": 20 })))?;
    answers(dir.path(), &many("kubectl_logs", &json!({ "pod": "shop/web", "timeout_seconds": 20 })))?;
    Ok(())
}

#[test]
fn deep_nesting_is_refused() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    hostile::deep_nesting(dir.path(), 1_000_000)?;
    let mut calls = Vec::new();
    for kind in ["endpoints", "pods", "services", "nodes", "configmaps"] {
        calls.push(("kubectl_get", json!({ "kind": kind, "output": "yaml", "timeout_seconds": 60 })));
        calls.push(("kubectl_describe", json!({ "kind": kind, "name": "deep", "namespace": "shop" })));
    }
    calls.push(("kubectl_logs", json!({ "pod": "shop/web", "timeout_seconds": 60 })));
    calls.push(("kubectl_logs", json!({ "pod": "shop/web", "digest": true, "timeout_seconds": 60 })));
    calls.push(("kubectl_get", json!({ "kind": "pods", "columns": [".a[".repeat(100_000)] })));
    let told = answers(dir.path(), &calls)?;
    for (call, text) in calls.iter().zip(&told).take(8) {
        assert!(text.contains("could not be read"), "{call:?} {text}");
    }
    Ok(())
}

#[test]
fn five_thousand_calls_at_once_are_answered() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    hostile::small_objects(dir.path(), 20 << 20)?;
    let calls = vec![("kubectl_get", json!({ "kind": "pods", "timeout_seconds": 5 })); 5_000];
    let told = answers(dir.path(), &calls)?;
    assert!(told.iter().any(|text| text.contains("the server is busy")), "no call was refused");
    Ok(())
}
