//! JSON schemas that every client accepts.
//!
//! Some clients reject `$ref`, unions with null or unregistered formats, and drop the tool or the session. This module
//! rewrites the schemas that schemars derives to the part of JSON Schema that all clients know. A client sends the
//! schemas of all tools to its model, so the schemas that a client gets also leave out what a model does not need.

use serde_json::{Map, Value};

/// The format of an object that can also be written as one text. A client gets the schema of the text.
pub(crate) const ALSO_TEXT: &str = "also-text";

/// Returns the schema of a parameter type for the check of arguments. It is portable except for the keyword `format`.
pub(crate) fn portable<T: schemars::JsonSchema>() -> Map<String, Value> {
    let mut schema = schemars::schema_for!(T).to_value();
    let definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    rewrite(&mut schema, &definitions);
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    for noise in ["$defs", "$schema", "title", "description"] {
        schema.remove(noise);
    }
    schema
}

/// Returns the schema that clients get: `schema` without formats and without limits that need no mention.
///
/// It leaves out `additionalProperties: false`, the minimum 0 or 1 of an unsigned integer, and the maximum of an
/// integer of 16 bits. The server checks arguments against `schema`, so a client that breaks one of these limits gets
/// an error that explains the limit.
pub(crate) fn listed(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut listed = schema.clone();
    listed.remove("additionalProperties");
    if let Some(properties) = listed.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(shorten);
    }
    listed
}

/// Shortens the schema of one parameter.
fn shorten(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    let format = object.remove("format");
    match format.as_ref().and_then(Value::as_str).unwrap_or_default() {
        ALSO_TEXT => *object = Map::from_iter([("type".into(), "string".into())]),
        unsigned if unsigned.starts_with("uint") => {
            object.retain(|key, value| match key.as_str() {
                "minimum" => *value != 0 && *value != 1,
                "maximum" => *value != u16::MAX,
                _ => true,
            });
        }
        _ => {}
    }
    if let Some(items) = object.get_mut("items") {
        shorten(items);
    }
}

fn rewrite(schema: &mut Value, definitions: &Map<String, Value>) {
    if let Value::Array(all) = schema {
        all.iter_mut().for_each(|each| rewrite(each, definitions));
    }
    let Value::Object(object) = schema else { return };
    inline(object, definitions);
    drop_null(object, definitions);
    enumerate(object);
    // A default of null, false or an empty list needs no mention.
    if matches!(object.get("default"), Some(Value::Null | Value::Bool(false)))
        || object.get("default").and_then(Value::as_array).is_some_and(Vec::is_empty)
    {
        object.remove("default");
    }
    for (key, below) in object.iter_mut() {
        match (key.as_str(), below) {
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(|property| rewrite(property, definitions));
            }
            ("items" | "additionalProperties" | "anyOf" | "oneOf" | "allOf", below) => {
                rewrite(below, definitions)
            }
            _ => {}
        }
    }
}

/// Replaces `$ref` by the definition that it refers to. Properties beside it take precedence.
fn inline(object: &mut Map<String, Value>, definitions: &Map<String, Value>) {
    while let Some(Value::String(reference)) = object.remove("$ref") {
        let name = reference.trim_start_matches("#/$defs/");
        merge(object, definitions.get(name));
    }
}

/// Replaces "this or null" by "this", because an optional parameter is simply not required.
fn drop_null(object: &mut Map<String, Value>, definitions: &Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(branches)) = object.get("anyOf") {
        let null = |branch: &&Value| branch.get("type").is_some_and(|t| t == "null");
        let rest: Vec<Value> = branches.iter().filter(|b| !null(b)).cloned().collect();
        if let ([one], true) = (rest.as_slice(), rest.len() < branches.len()) {
            object.remove("anyOf");
            merge(object, Some(one));
            inline(object, definitions);
        }
    }
}

/// Replaces the variants of an enum, some of them documented (`oneOf` of constants), by one `enum`.
fn enumerate(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("oneOf") else { return };
    let values = |variant: &Value| match (variant.get("const"), variant.get("enum")) {
        (Some(constant), _) => Some(vec![constant.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        _ => None,
    };
    let values: Option<Vec<Vec<Value>>> = variants.iter().map(values).collect();
    if let Some(values) = values {
        object.remove("oneOf");
        object.insert("type".into(), "string".into());
        object.insert("enum".into(), values.concat().into());
    }
}

fn merge(object: &mut Map<String, Value>, other: Option<&Value>) {
    for (key, value) in other.and_then(Value::as_object).into_iter().flatten() {
        object.entry(key.clone()).or_insert_with(|| value.clone());
    }
}
