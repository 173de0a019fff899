//! The parameters that all tools share, and the check of all parameters against the schema.

use crate::{NodeName, Pattern, PodRef, ToolError, error::echo, reply::Page};
use serde_json::{Map, Value, json};
use std::{ops::RangeInclusive, time::Duration};

/// The time limit of a call in seconds: the default and the maximum.
const SECONDS: (u64, u64) = (30, 300);

/// The maximum number of rows in one answer.
const ROWS: u64 = 10_000;

/// The shared parameters of a call.
#[derive(Debug)]
pub(crate) struct SharedParams {
    pub(crate) page: Page,
    pub(crate) within: Duration,
    /// The bundle that is read alone, if the call names one.
    pub(crate) bundle: Option<String>,
}

/// What a tool answers for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// One node at a time.
    Node,
    /// The cluster as a whole.
    Cluster,
}

/// The nodes that a call names.
#[derive(Debug)]
pub(crate) enum NodeSelection {
    /// All nodes of the source.
    All,
    /// The listed nodes.
    Named(Vec<NodeName>),
    /// The node of a pod. If the call also names a node, it must be the same node.
    OfPod(PodRef, Option<NodeName>),
    /// The call names no node. The only node of the source is used, or the node of the pod that another parameter
    /// names.
    Unnamed(Option<PodRef>),
}

/// The description of the shared parameters in the instructions of every server. It is sent once, so the schemas can
/// be short.
pub(crate) const SHARED: &str = "All tools share these parameters: node_name is one node, several nodes (a,b) or `all`, \
                                 and several nodes are compared; pod selects the node that the pod runs on; grep shows only the \
                                 rows that match, limit and offset page through the rows; bundle reads one bundle only, by \
                                 its name or a part of its name (by default, the newest readable copy of the data is read); \
                                 timeout_seconds applies to the whole call (by default 30, at most 300).";

/// The shared parameters that come before the tool's own parameters. The descriptions are short, because every schema
/// repeats them.
fn leading_parameters() -> Value {
    json!({
        "node_name": { "type": "string", "description": "Node, nodes (a,b) or `all`." },
        "pod": { "type": "string", "description": "Pod (namespace/name)." },
    })
}

/// The shared parameters that come after the tool's own parameters.
fn trailing_parameters() -> Value {
    json!({
        "grep": { "type": "string", "description": "Regex for rows." },
        "offset": { "type": "integer", "description": "Rows to skip." },
        "limit": { "type": "integer", "description": "Maximum rows." },
        "bundle": { "type": "string", "description": "Bundle to read." },
        "timeout_seconds": { "type": "integer", "description": "Time limit." },
    })
}

/// Adds the shared parameters to the schema of a tool. A tool with `own_grep` has its own parameter `grep`.
pub(crate) fn extend_schema(schema: &mut Map<String, Value>, scope: Scope, own_grep: bool) {
    let own = schema.remove("properties").unwrap_or_default();
    let first = match scope {
        Scope::Node => leading_parameters(),
        Scope::Cluster => Value::Null,
    };
    let mut after = trailing_parameters();
    if own_grep && let Some(after) = after.as_object_mut() {
        after.remove("grep");
    }
    let all = [first, own, after].into_iter();
    let mut all: Map<String, Value> = all.filter_map(|v| v.as_object().cloned()).flatten().collect();
    for property in all.values_mut().filter_map(Value::as_object_mut) {
        // A missing value means the same as this default.
        if property.get("default").is_some_and(|default| *default == json!(false) || *default == json!([])) {
            property.remove("default");
        }
    }
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), all.into());
    schema.insert("additionalProperties".into(), false.into());
}

/// Checks arguments against a schema, and converts `"50"` to a number if the schema requires a number.
pub(crate) fn check(
    schema: &Map<String, Value>,
    arguments: &mut Map<String, Value>,
) -> Result<(), ToolError> {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    // Some clients send null for every parameter that they do not use.
    arguments.retain(|_, value| !value.is_null());
    for (name, value) in arguments.iter_mut() {
        let Some(property) = properties.get(name) else {
            return Err(ToolError::not_found("parameter", name, properties.keys()));
        };
        coerce(property, value);
        check_value(name, property, value)?;
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !arguments.contains_key(name) {
            let what = properties.get(name).and_then(|p| p.get("description")).and_then(Value::as_str);
            return Err(ToolError::bad(format!("parameter `{name}` is missing"), what.unwrap_or_default()));
        }
    }
    Ok(())
}

/// Converts the spellings that models and command lines use to the type that the schema requires.
fn coerce(property: &Value, value: &mut Value) {
    let wanted = property.get("type").and_then(Value::as_str).unwrap_or_default();
    let text = value.as_str().map(str::to_owned);
    let better = match (wanted, &text) {
        ("integer" | "boolean", Some(text)) => {
            serde_json::from_str(text).ok().filter(|v: &Value| !v.is_string())
        }
        ("array", Some(text)) if text.trim_start().starts_with('[') => serde_json::from_str(text).ok(),
        ("array", Some(text)) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).ok().map(|one: Value| json!([one]))
        }
        // A value in a condition may contain commas.
        ("array", Some(text)) if property.pointer("/items/type").is_some_and(|of| of == "object") => {
            Some(json!([text]))
        }
        ("array", Some(text)) => Some(text.split(',').map(|s| Value::from(s.trim())).collect()),
        ("array", None) if value.is_object() => Some(json!([value.take()])),
        ("string", None) => match &*value {
            Value::Number(number) => Some(number.to_string().into()),
            Value::Bool(bool) => Some(bool.to_string().into()),
            Value::Array(all) => {
                let all: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
                all.map(|all| all.join(",").into())
            }
            _ => None,
        },
        _ => None,
    };
    if let Some(better) = better {
        *value = better;
    }
}

fn check_value(name: &str, property: &Value, value: &Value) -> Result<(), ToolError> {
    let wanted = property.get("type").and_then(Value::as_str).unwrap_or_default();
    let right = match wanted {
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => true,
    };
    let what = property.get("description").and_then(Value::as_str).unwrap_or_default();
    if !right {
        let given = value.to_string();
        return Err(ToolError::bad(
            format!("parameter `{name}` is {}, not of type {wanted}", echo(&given)),
            what,
        ));
    }
    let bound = |key| property.get(key).and_then(Value::as_i64);
    if let Some(number) = value.as_i64() {
        let (low, high) = (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX));
        if !(low..=high).contains(&number) {
            let wanted = match (low, high) {
                (i64::MIN, high) => format!("It must be at most {high}."),
                (low, i64::MAX) => format!("It must be at least {low}."),
                (low, high) => format!("It must be from {low} to {high}."),
            };
            return Err(ToolError::bad(format!("parameter `{name}` is {number}"), wanted));
        }
    }
    if let (Some(values), Some(text)) = (property.get("enum").and_then(Value::as_array), value.as_str())
        && !values.contains(value)
    {
        return Err(ToolError::not_found(
            format!("value of parameter `{name}`"),
            text,
            values.iter().filter_map(Value::as_str),
        ));
    }
    Ok(())
}

impl SharedParams {
    /// Takes the shared parameters out of checked arguments.
    pub(crate) fn take(arguments: &mut Map<String, Value>, own_grep: bool) -> Result<Self, ToolError> {
        let grep = if own_grep { None } else { take_text(arguments, "grep") };
        let bundle = take_text(arguments, "bundle");
        let mut number = |name, range: RangeInclusive<u64>| match arguments.remove(name) {
            None => Ok(None),
            Some(value) => match value.as_u64().filter(|number| range.contains(number)) {
                Some(number) => Ok(Some(number)),
                None => Err(ToolError::bad(
                    format!("parameter `{name}` is {}", echo(&value.to_string())),
                    format!("It must be from {} to {}.", range.start(), range.end()),
                )),
            },
        };
        let page = Page {
            grep: grep.map(|pattern| Pattern::new(&pattern)).transpose()?,
            offset: number("offset", 0..=u64::from(u32::MAX))?.unwrap_or(0) as usize,
            limit: number("limit", 1..=ROWS)?.map(|n| n as usize),
        };
        let within = Duration::from_secs(number("timeout_seconds", 1..=SECONDS.1)?.unwrap_or(SECONDS.0));
        Ok(Self { page, within, bundle })
    }
}

/// Returns the time limit of a call with these checked arguments.
pub(crate) fn within(arguments: &Map<String, Value>) -> Duration {
    let seconds = arguments.get("timeout_seconds").and_then(Value::as_u64);
    // An out-of-range value is an error of the call. The error is reported within the nearest valid limit.
    Duration::from_secs(seconds.unwrap_or(SECONDS.0).clamp(1, SECONDS.1))
}

fn take_text(arguments: &mut Map<String, Value>, name: &str) -> Option<String> {
    match arguments.remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Takes the nodes that the call names out of checked arguments.
///
/// If no node is named, the first parameter of `names_pod` that names a pod selects the node.
pub(crate) fn take_nodes(
    arguments: &mut Map<String, Value>,
    names_pod: &[&str],
) -> Result<NodeSelection, ToolError> {
    let (nodes, pod) = (take_text(arguments, "node_name"), take_text(arguments, "pod"));
    let mut texts = names_pod.iter().filter_map(|name| arguments.get(*name)?.as_str());
    let other = texts.find_map(|text| text.trim().parse().ok());
    nodes_of(nodes, pod, other)
}

fn nodes_of(
    nodes: Option<String>,
    pod: Option<String>,
    other: Option<PodRef>,
) -> Result<NodeSelection, ToolError> {
    let parse = |name: &str| {
        name.trim().parse::<NodeName>().map_err(|e| {
            ToolError::bad(echo(&e.to_string()), "Pass node_name as one node, several nodes (a,b), or `all`.")
        })
    };
    if let Some(pod) = pod {
        let pod =
            pod.parse().map_err(|e: String| ToolError::bad(echo(&e), "Pass pod as `namespace/name`."))?;
        return Ok(NodeSelection::OfPod(pod, nodes.as_deref().map(parse).transpose()?));
    }
    match nodes.as_deref() {
        None => Ok(NodeSelection::Unnamed(other)),
        Some("all") => Ok(NodeSelection::All),
        Some(names) => {
            let mut names: Vec<NodeName> = names.split(',').map(parse).collect::<Result<_, _>>()?;
            names.sort();
            names.dedup();
            Ok(NodeSelection::Named(names))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Map<String, Value> {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is used")]
        struct Params {
            /// The table.
            table: String,
            columns: Option<Vec<String>>,
            #[schemars(range(min = 0, max = 65535))]
            zone: Option<u16>,
            kind: Option<Kind>,
            /// The size.
            #[schemars(range(min = 2, max = 9))]
            size: Option<u16>,
            r#where: Option<Vec<crate::ColumnCondition>>,
        }
        #[derive(schemars::JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[expect(dead_code, reason = "only its schema is used")]
        enum Kind {
            Nb,
            /// Documented.
            Sb,
        }
        let mut schema = crate::schema::portable::<Params>();
        extend_schema(&mut schema, Scope::Node, false);
        schema
    }

    fn checked(arguments: Value) -> Result<Map<String, Value>, String> {
        let mut arguments = arguments.as_object().unwrap().clone();
        check(&schema(), &mut arguments).map_err(|e| e.report())?;
        Ok(arguments)
    }

    #[test]
    fn schemas_use_no_keyword_that_a_client_might_refuse() {
        let text = Value::Object(crate::schema::listed(&schema())).to_string();
        for refused in ["$ref", "$defs", "$schema", "format", "null", "anyOf", "oneOf"] {
            assert!(!text.contains(refused), "{refused}: {text}");
        }
        let schema = schema();
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "node_name",
                "pod",
                "table",
                "columns",
                "zone",
                "kind",
                "size",
                "where",
                "grep",
                "offset",
                "limit",
                "bundle",
                "timeout_seconds"
            ]
        );
        assert_eq!(schema["properties"]["kind"]["enum"], json!(["nb", "sb"]));
        assert_eq!(schema["required"], json!(["table"]));
    }

    #[test]
    fn a_client_gets_no_limit_that_needs_no_mention() {
        let schema = crate::schema::listed(&schema());
        assert_eq!(schema.get("additionalProperties"), None);
        let property = |name: &str| schema["properties"][name].clone();
        assert_eq!(property("zone"), json!({ "type": "integer" }));
        assert_eq!(
            property("size"),
            json!({ "description": "The size.", "type": "integer", "minimum": 2, "maximum": 9 })
        );
        // A client writes conditions as texts, though the server also accepts objects.
        assert_eq!(property("where"), json!({ "type": "array", "items": { "type": "string" } }));
    }

    #[test]
    fn values_of_the_wrong_json_type_are_converted() {
        let all = checked(json!({
            "table": "ACL", "columns": "name, match", "zone": "7", "limit": "50", "pod": null, "node_name": ["a", "b"],
        }));
        let wanted = json!({ "table": "ACL", "columns": ["name", "match"], "zone": 7, "limit": 50, "node_name": "a,b" });
        assert_eq!(Value::Object(all.unwrap()), wanted);
    }

    #[test]
    fn errors_name_the_parameter_and_the_valid_values() {
        for (arguments, problem) in [
            (json!({}), "parameter `table` is missing\nhint: The table."),
            (json!({ "tabel": "ACL" }), "no parameter is named `tabel`\nhint: Did you mean: table, "),
            (
                json!({ "table": "ACL", "zone": 65536 }),
                "parameter `zone` is 65536\nhint: It must be from 0 to 65535.",
            ),
            (json!({ "table": "ACL", "limit": "all" }), "parameter `limit` is \"all\", not of type integer"),
            (
                json!({ "table": "ACL", "kind": "nbdb" }),
                "no value of parameter `kind` is named `nbdb`\nhint: Did you mean: nb, sb?",
            ),
            (json!({ "table": { "a": 1 } }), "parameter `table` is {\"a\":1}, not of type string"),
        ] {
            let report = checked(arguments.clone()).unwrap_err();
            assert!(report.starts_with(&format!("error: {problem}")), "{arguments}: {report}");
        }
    }

    #[test]
    fn a_call_names_one_node_several_all_or_a_pod() {
        let take = |arguments: Value| {
            let mut arguments = arguments.as_object().unwrap().clone();
            take_nodes(&mut arguments, &["from"])
                .and_then(|nodes| Ok((nodes, SharedParams::take(&mut arguments, false)?)))
        };
        let nodes = |arguments| take(arguments).map(|(nodes, _)| nodes);
        assert!(matches!(nodes(json!({ "node_name": "all" })), Ok(NodeSelection::All)));
        assert!(
            matches!(nodes(json!({ "node_name": "b, a,b" })), Ok(NodeSelection::Named(names)) if names.len() == 2)
        );
        assert!(matches!(nodes(json!({ "pod": "shop/web-1" })), Ok(NodeSelection::OfPod(_, None))));
        for unnamed in [json!({}), json!({ "node_name": "" }), json!({ "from": "10.0.0.1" })] {
            assert!(matches!(nodes(unnamed), Ok(NodeSelection::Unnamed(None))));
        }
        assert!(matches!(nodes(json!({ "from": "shop/web-1" })), Ok(NodeSelection::Unnamed(Some(_)))));
        assert!(matches!(
            nodes(json!({ "from": "shop/web-1", "node_name": "a" })),
            Ok(NodeSelection::Named(_))
        ));
        for wrong in [
            json!({ "node_name": "a;b" }),
            json!({ "node_name": "-n" }),
            json!({ "pod": "web-1" }),
            json!({ "pod": "shop/web/1" }),
            json!({ "node_name": "a", "limit": 0 }),
            json!({ "node_name": "a", "limit": 10_001 }),
            json!({ "node_name": "a", "offset": -1 }),
            json!({ "node_name": "a", "timeout_seconds": -30 }),
            json!({ "node_name": "a", "timeout_seconds": 301 }),
            json!({ "node_name": "a", "grep": "(" }),
            json!({ "node_name": "a", "grep": "(a{1000}){1000}" }),
        ] {
            assert!(take(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
