//! Plants a secret in one of the promised forms (docs/security.md) among any text.
//!
//! No part of the secret is shown, in a text, in an output, or in a log that arrives in pieces. Redacting an answer
//! again does not change it.

#![no_main]

#[path = "../../crates/mcp-core/src/sanitize/tests/classes.rs"]
mod classes;

use classes::{CLASSES, plant, tells};
use libfuzzer_sys::fuzz_target;
use mcp_core::fuzzing;

fuzz_target!(|input: &[u8]| {
    let Some(([class, form, value, at, piece], text)) = input.split_first_chunk() else { return };
    let class = &CLASSES[usize::from(*class) % CLASSES.len()];
    let form = class.forms[usize::from(*form) % class.forms.len()];
    let value = class.values[usize::from(*value) % class.values.len()];
    let text = String::from_utf8_lossy(text);
    // Text that contains the secret itself, or the half of it, is no test.
    if text.contains("hunt") || tells(&text) || text.contains('\0') {
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    let (before, after) = lines.split_at(usize::from(*at) * lines.len() / 255);
    let planted = plant(form, value);
    let text = [&before.join("\n"), &*planted, &after.join("\n")].join("\n");

    let shown = fuzzing::clean(&text);
    assert!(!tells(&shown), "{}: {text:?} gives {shown:?}", class.name);
    let again = fuzzing::clean(&shown);
    assert!(again == shown, "{}: {shown:?} gives {again:?}", class.name);
    let output = String::from_utf8_lossy(&fuzzing::redact_output(text.as_bytes())).into_owned();
    assert!(!tells(&output), "{}: the output {text:?} gives {output:?}", class.name);
    // The values of a Secret whose kind comes last are found only in a whole text.
    if !planted.contains("data") {
        let log =
            String::from_utf8_lossy(&fuzzing::redact_log(text.as_bytes(), usize::from(*piece))).into_owned();
        assert!(!tells(&log), "{}: the log {text:?} gives {log:?}", class.name);
    }
});
