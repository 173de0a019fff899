//! Checks `tools/list`: models pay for every byte of it, and some clients refuse a whole server because of one schema.

use serde_json::{Value, json};

/// The maximum size of one server's list of tools, and of all lists together, in bytes.
pub(super) const BYTES: usize = 16_000;
pub(super) const ALL_BYTES: usize = 56_000;

/// Keys of JSON Schema that are not portable.
const UNPORTABLE: &[&str] = &["$ref", "$defs", "$schema", "format", "oneOf", "anyOf", "allOf"];

/// Returns the problems of a server's tools.
pub(super) fn problems(tools: &Value, bytes: usize) -> Vec<String> {
    let mut problems = Vec::new();
    if bytes > BYTES {
        problems.push(format!("tools/list has {bytes} bytes, at most {BYTES}: shorten the descriptions"));
    }
    let tools = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    if tools.is_empty() {
        problems.push("tools/list is empty".into());
    }
    for tool in tools {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or("(no name)");
        problems.extend(problems_of(tool).into_iter().map(|problem| format!("{name}: {problem}")));
    }
    problems
}

fn problems_of(tool: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let read_only = json!({
        "readOnlyHint": true, "openWorldHint": false,
    });
    let mut annotations = tool.get("annotations").cloned().unwrap_or_default();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove("title");
    }
    if annotations != read_only {
        problems.push(format!("its annotations are {annotations}, but should be {read_only}"));
    }
    let description = tool.get("description").and_then(Value::as_str).unwrap_or_default();
    match sentences(description) {
        1..=3 => {}
        number => problems.push(format!("its description has {number} sentences, not one to three")),
    }
    if tool.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
        problems.push("it has no title".into());
    }
    if tool.get("outputSchema").is_some() {
        problems.push("it has an outputSchema, but answers are text".into());
    }
    match tool.get("inputSchema") {
        Some(schema) if schema.get("type").is_some_and(|kind| kind == "object") => {
            unportable(schema, "inputSchema", &mut problems);
        }
        schema => problems.push(format!("its inputSchema is not an object: {schema:?}")),
    }
    problems
}

/// Counts the ends of sentences: a full stop, question mark or exclamation mark, followed by nothing or by a space and
/// a capital.
fn sentences(text: &str) -> usize {
    let ends = text.match_indices(['.', '?', '!']).filter(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        let mut words = rest.chars();
        rest.trim().is_empty() || (words.next() == Some(' ') && words.next().is_some_and(char::is_uppercase))
    });
    ends.count()
}

/// Finds the parts of a schema, at any depth, that some client does not accept.
fn unportable(schema: &Value, path: &str, problems: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else { return };
    for key in UNPORTABLE.iter().filter(|key| schema.contains_key(**key)) {
        problems.push(format!("`{key}` in {path}"));
    }
    if schema.get("type").is_none_or(|kind| !kind.is_string()) {
        problems.push(format!("the type of {path} is {:?}, not one name", schema.get("type")));
    }
    if schema.get("default").is_some_and(Value::is_null) {
        problems.push(format!("the default of {path} is null"));
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        unportable(property, &format!("{path}.{name}"), problems);
    }
    if let Some(items) = schema.get("items") {
        unportable(items, &format!("{path}[]"), problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Value {
        json!({
            "name": "show", "title": "Show", "description": "Shows. Use it first, as in `a.b`.",
            "annotations": {
                "readOnlyHint": true, "openWorldHint": false,
            },
            "inputSchema": {
                "type": "object",
                "properties": { "node": { "type": "string" }, "of": { "type": "array", "items": { "type": "string" } } },
            },
        })
    }

    /// Returns the example with the value at a pointer replaced.
    fn with(pointer: &str, value: Value) -> Vec<String> {
        let mut tool = tool();
        *tool.pointer_mut(pointer).unwrap() = value;
        problems(&json!([tool]), 100)
    }

    #[test]
    fn the_example_is_fine() {
        assert_eq!(problems(&json!([tool()]), 100), Vec::<String>::new());
    }

    #[test]
    fn each_defect_is_found() {
        assert_eq!(problems(&json!([]), 100), ["tools/list is empty"]);
        assert_eq!(problems(&json!([tool()]), BYTES + 1).len(), 1);
        assert_eq!(with("/annotations/openWorldHint", json!(true)).len(), 1);
        assert_eq!(with("/annotations", json!({ "readOnlyHint": true })).len(), 1);
        assert_eq!(with("/title", json!("")), ["show: it has no title"]);
        assert_eq!(
            with("/description", json!("One. Two? Three! Four."))[0],
            "show: its description has 4 sentences, not one to three"
        );
        assert_eq!(
            with("/description", json!(""))[0],
            "show: its description has 0 sentences, not one to three"
        );
    }

    #[test]
    fn each_unportable_schema_is_found_wherever_it_is() {
        for place in ["/inputSchema/properties/node", "/inputSchema/properties/of/items"] {
            for schema in [
                json!({ "type": "integer", "format": "uint32" }),
                json!({ "type": ["string", "null"] }),
                json!({ "type": "string", "default": null }),
                json!({ "type": "object", "$ref": "#/$defs/A" }),
                json!({ "type": "string", "anyOf": [] }),
            ] {
                assert_eq!(with(place, schema.clone()).len(), 1, "{place}: {schema}");
            }
        }
    }
}
