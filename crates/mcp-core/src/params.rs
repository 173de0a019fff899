//! The parameters of a call: those that all tools share, and the check of all against the schema.

use crate::{NodeName, Pattern, PodRef, ToolError, error::echo, reply::Page};
use serde_json::{Map, Value, json};
use std::{ops::RangeInclusive, time::Duration};

/// How long a call may take, in seconds: by default, and at most.
const SECONDS: (u64, u64) = (30, 300);

/// The most rows of one answer.
const ROWS: u64 = 10_000;

/// What every tool takes, whatever else it takes.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) page: Page,
    pub(crate) within: Duration,
    /// The bundle that is read alone.
    pub(crate) bundle: Option<String>,
}

/// What a tool asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// One node at a time.
    Node,
    /// The cluster as a whole.
    Cluster,
}

/// Which nodes a call is about.
#[derive(Debug)]
pub(crate) enum Nodes {
    /// All that the source has.
    All,
    /// These.
    Named(Vec<NodeName>),
    /// The one where a pod is; if a name is given as well, it must be that one.
    OfPod(PodRef, Option<NodeName>),
    /// No node is named: the only one that there is, or the one of a pod that another parameter names.
    Unnamed(Option<PodRef>),
}

/// What the schemas leave unsaid of the shared parameters, for the instructions of every server: there it costs once.
pub(crate) const SHARED: &str = "All tools share these parameters: node_name is one node, several nodes (a,b) or `all`, \
                                 and several nodes are compared; pod stands for the node that it runs on; grep keeps the \
                                 rows that match, limit and offset page through the rows; bundle reads one bundle only, by \
                                 its name or a part of its name, and without it the newest readable copy is read; \
                                 timeout_seconds applies to the whole call, and the default is 30.";

/// The shared parameters that come before a tool's own: short, because every schema repeats them.
fn where_to_look() -> Value {
    json!({
        "node_name": { "type": "string", "description": "Node; a,b or `all` are compared." },
        "pod": { "type": "string", "description": "namespace/name: its node." },
    })
}

/// Those that come after.
fn how_much() -> Value {
    json!({
        "grep": { "type": "string", "description": "Regex that rows match." },
        "offset": { "type": "integer", "description": "Rows to skip." },
        "limit": { "type": "integer", "description": "Rows to show." },
        "bundle": { "type": "string", "description": "This bundle only." },
        "timeout_seconds": { "type": "integer", "maximum": SECONDS.1, "description": "For each node." },
    })
}

/// Adds the shared parameters to the schema of a tool's own; `grep` if the tool does not look for it itself.
pub(crate) fn extend_schema(schema: &mut Map<String, Value>, scope: Scope, own_grep: bool) {
    let own = schema.remove("properties").unwrap_or_default();
    let first = match scope {
        Scope::Node => where_to_look(),
        Scope::Cluster => Value::Null,
    };
    let mut after = how_much();
    if own_grep && let Some(after) = after.as_object_mut() {
        after.remove("grep");
    }
    let all = [first, own, after].into_iter();
    let mut all: Map<String, Value> = all.filter_map(|v| v.as_object().cloned()).flatten().collect();
    for property in all.values_mut().filter_map(Value::as_object_mut) {
        // Absent means the same.
        if property.get("default").is_some_and(|default| *default == json!(false) || *default == json!([])) {
            property.remove("default");
        }
    }
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), all.into());
    schema.insert("additionalProperties".into(), false.into());
}

/// Checks arguments against a schema, and makes of `"50"` the number where the schema wants one.
pub(crate) fn check(
    schema: &Map<String, Value>,
    arguments: &mut Map<String, Value>,
) -> Result<(), ToolError> {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    // A client that fills in every parameter says null for those that it does not use.
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

/// What models and command lines write for what is meant.
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

impl Common {
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

/// How long a call with these checked arguments may take.
pub(crate) fn within(arguments: &Map<String, Value>) -> Duration {
    let seconds = arguments.get("timeout_seconds").and_then(Value::as_u64);
    // One that is out of range is an error of the call, which is told in time.
    Duration::from_secs(seconds.unwrap_or(SECONDS.0).clamp(1, SECONDS.1))
}

fn take_text(arguments: &mut Map<String, Value>, name: &str) -> Option<String> {
    match arguments.remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Takes which nodes are meant out of checked arguments.
///
/// Where no node is named, the first of the parameters `names_pod` that names a pod tells which one.
pub(crate) fn take_nodes(arguments: &mut Map<String, Value>, names_pod: &[&str]) -> Result<Nodes, ToolError> {
    let (nodes, pod) = (take_text(arguments, "node_name"), take_text(arguments, "pod"));
    let mut texts = names_pod.iter().filter_map(|name| arguments.get(*name)?.as_str());
    let other = texts.find_map(|text| text.trim().parse().ok());
    nodes_of(nodes, pod, other)
}

fn nodes_of(nodes: Option<String>, pod: Option<String>, other: Option<PodRef>) -> Result<Nodes, ToolError> {
    let parse = |name: &str| {
        name.trim()
            .parse::<NodeName>()
            .map_err(|e| ToolError::bad(echo(&e.to_string()), "Give the name of a node, or `all`."))
    };
    if let Some(pod) = pod {
        let pod = pod.parse().map_err(|e: String| ToolError::bad(echo(&e), "Give `namespace/name`."))?;
        return Ok(Nodes::OfPod(pod, nodes.as_deref().map(parse).transpose()?));
    }
    match nodes.as_deref() {
        None => Ok(Nodes::Unnamed(other)),
        Some("all") => Ok(Nodes::All),
        Some(names) => {
            let mut names: Vec<NodeName> = names.split(',').map(parse).collect::<Result<_, _>>()?;
            names.sort();
            names.dedup();
            Ok(Nodes::Named(names))
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
    fn schemas_hold_nothing_that_a_client_might_refuse() {
        let text = Value::Object(schema()).to_string();
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
    fn what_is_meant_is_taken() {
        let all = checked(json!({
            "table": "ACL", "columns": "name, match", "zone": "7", "limit": "50", "pod": null, "node_name": ["a", "b"],
        }));
        let wanted = json!({ "table": "ACL", "columns": ["name", "match"], "zone": 7, "limit": 50, "node_name": "a,b" });
        assert_eq!(Value::Object(all.unwrap()), wanted);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (arguments, problem) in [
            (json!({}), "parameter `table` is missing\nhint: The table."),
            (
                json!({ "tabel": "ACL" }),
                "no parameter is named `tabel`\nhint: There are, the most alike first: table, ",
            ),
            (
                json!({ "table": "ACL", "zone": 65536 }),
                "parameter `zone` is 65536\nhint: It must be from 0 to 65535.",
            ),
            (
                json!({ "table": "ACL", "timeout_seconds": 301 }),
                "parameter `timeout_seconds` is 301\nhint: It must be at most 300.",
            ),
            (json!({ "table": "ACL", "limit": "all" }), "parameter `limit` is \"all\", not of type integer"),
            (
                json!({ "table": "ACL", "kind": "nbdb" }),
                "no value of parameter `kind` is named `nbdb`\nhint: There are, the most alike first: nb, sb.",
            ),
            (json!({ "table": { "a": 1 } }), "parameter `table` is {\"a\":1}, not of type string"),
        ] {
            let report = checked(arguments.clone()).unwrap_err();
            assert!(report.starts_with(&format!("error: {problem}")), "{arguments}: {report}");
        }
    }

    #[test]
    fn nodes_are_one_several_all_or_a_pods() {
        let take = |arguments: Value| {
            let mut arguments = arguments.as_object().unwrap().clone();
            take_nodes(&mut arguments, &["from"])
                .and_then(|nodes| Ok((nodes, Common::take(&mut arguments, false)?)))
        };
        let nodes = |arguments| take(arguments).map(|(nodes, _)| nodes);
        assert!(matches!(nodes(json!({ "node_name": "all" })), Ok(Nodes::All)));
        assert!(
            matches!(nodes(json!({ "node_name": "b, a,b" })), Ok(Nodes::Named(names)) if names.len() == 2)
        );
        assert!(matches!(nodes(json!({ "pod": "shop/web-1" })), Ok(Nodes::OfPod(_, None))));
        for unnamed in [json!({}), json!({ "node_name": "" }), json!({ "from": "10.0.0.1" })] {
            assert!(matches!(nodes(unnamed), Ok(Nodes::Unnamed(None))));
        }
        assert!(matches!(nodes(json!({ "from": "shop/web-1" })), Ok(Nodes::Unnamed(Some(_)))));
        assert!(matches!(nodes(json!({ "from": "shop/web-1", "node_name": "a" })), Ok(Nodes::Named(_))));
        for wrong in [
            json!({ "node_name": "a;b" }),
            json!({ "node_name": "-n" }),
            json!({ "pod": "web-1" }),
            json!({ "pod": "shop/web/1" }),
            json!({ "node_name": "a", "limit": 0 }),
            json!({ "node_name": "a", "limit": 10_001 }),
            json!({ "node_name": "a", "offset": -1 }),
            json!({ "node_name": "a", "timeout_seconds": -30 }),
            json!({ "node_name": "a", "grep": "(" }),
            json!({ "node_name": "a", "grep": "(a{1000}){1000}" }),
        ] {
            assert!(take(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
