//! Reads any bytes as a file of Kubernetes objects, in YAML or JSON.
//!
//! The reading ends; its objects are not nested too deeply, and are not much larger than the file. Whatever an object
//! contains, a Secret with the same content shows none of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_core::{ObjectKind, fuzzing};
use serde_json::{Value, json};

/// The maximum depth of an object (docs/security.md).
const DEPTH: usize = 100;

/// The size of the texts that a file may have, whatever its own size is, in bytes.
const SMALL: usize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    let (objects, _) = fuzzing::objects(bytes);
    assert!(objects.len() <= bytes.len(), "{} objects in {} bytes", objects.len(), bytes.len());
    let texts: usize = objects.iter().map(texts).sum();
    assert!(texts <= SMALL.max(2 * bytes.len()), "{texts} bytes of texts in a file of {} bytes", bytes.len());
    for object in objects {
        assert!(depth(&object) <= DEPTH, "an object has {} levels", depth(&object));
        is_hidden(object.clone());
        let mut shown = object;
        fuzzing::redact_object(&ObjectKind::default(), &mut shown);
    }
});

/// Checks that a Secret shows nothing of a value, whatever contains the Secret.
fn is_hidden(value: Value) {
    for field in ["data", "stringData", "binaryData"] {
        let secret = json!({ "kind": "Secret", "metadata": { "name": "a" }, field: { "key": value } });
        let text = secret.to_string();
        for (path, mut object) in [
            (format!("/{field}"), secret.clone()),
            (format!("/items/0/{field}"), json!({ "kind": "List", "items": [secret.clone()] })),
            (format!("/objects/0/{field}"), json!({ "kind": "Template", "objects": [secret] })),
        ] {
            fuzzing::redact_object(&ObjectKind::default(), &mut object);
            let data = object.pointer(&path).unwrap_or_else(|| panic!("{path} is missing in {object}"));
            assert!(is_redacted(data), "{data}");
        }
        let mut other =
            json!({ "kind": "ConfigMap", "metadata": { "name": "a", "annotations": { "a/copy": text } } });
        fuzzing::redact_object(&ObjectKind::default(), &mut other);
        let shown = other.pointer("/metadata/annotations").map(Value::to_string).unwrap_or_default();
        assert!(shown.contains("[redacted: a manifest"), "{shown}");
    }
}

/// Whether every value has been replaced.
fn is_redacted(value: &Value) -> bool {
    match value {
        Value::Array(all) => all.iter().all(is_redacted),
        Value::Object(all) => all.values().all(is_redacted),
        Value::String(text) => text.starts_with("[redacted"),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
        Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns the number of bytes of all keys and texts.
fn texts(value: &Value) -> usize {
    match value {
        Value::Array(all) => all.iter().map(texts).sum(),
        Value::Object(all) => all.iter().map(|(key, value)| key.len() + texts(value)).sum(),
        Value::String(text) => text.len(),
        _ => 0,
    }
}
