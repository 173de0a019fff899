//! Generates calls of a tool: the calls of a model that works well, of a model that makes mistakes, and of an attacker.
//!
//! All calls are made from the tool's own schema, its cases, and words of earlier answers; this module knows no tool.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::random::Random;

/// Words that have a meaning for some tool in the lab.
const WORDS: &[&str] = &[
    "ovn-worker",
    "ovn-worker2",
    "all",
    "default",
    "ovn-kubernetes",
    "default/client",
    "default/web-1",
    "default/web",
    "default/db",
    "web",
    "client",
    "br-int",
    "br-ex",
    "eth0",
    "ovn-k8s-mp0",
    "10.96.0.10",
    "10.244.0.5",
    "10.244.1.0/24",
    "172.18.0.2",
    "0a:58:0a:f4:00:05",
    "tcp",
    "udp",
    "ip4",
    "ip4.dst == 10.244.1.5",
    "80",
    "64000",
    "table=0",
    "priority>=100",
    "Logical_Switch",
    "Logical_Switch_Port",
    "Port_Binding",
    "Chassis",
    "Interface",
    "Bridge",
    "pods",
    "nodes",
    "name",
    "_uuid",
    "0xdeff105",
    "main",
    "filter",
    "nat",
    "inet ovn-kubernetes",
    "app=web",
];

/// Common values for parameters of these names.
const NAMED: &[(&str, &[&str])] = &[
    ("node_name", &["ovn-worker", "ovn-worker2", "all"]),
    ("pod", &["default/client", "default/web-1", "default/web-2", "default/db", "default/client-2"]),
    ("namespace", &["default", "ovn-kubernetes", "clients"]),
    ("service", &["default/web", "default/kubernetes", "default/empty"]),
    ("from", &["default/client", "default/web-1", "default/client-2"]),
    ("to", &["default/web", "default/web-2", "default/db", "10.244.1.6", "172.18.0.1"]),
    ("bridge", &["br-int", "br-ex"]),
    ("interface", &["eth0", "br-ex", "ovn-k8s-mp0"]),
    ("grep", &["ovn", "10.244", "drop", "default"]),
    ("where", &["name=web", "priority>=100", "external_ids:name!=web", "type includes patch"]),
];

/// Parameters by which a tool observes for a while.
const LOOKS_ON: &[&str] = &["seconds", "delta_seconds"];

/// Values that may be valid or invalid.
const ODD: &[&str] = &[
    "",
    " ",
    "no-such-thing",
    "OVN-WORKER",
    "ovn-worker ",
    "ovn_worker",
    "*",
    "%",
    "default/",
    "/web",
    "a/b/c",
    "ovn-worker,ovn-worker2",
    "255.255.255.255/33",
    "::1",
    "fe80::/10",
    "gg:gg:gg:gg:gg:gg",
    "0x",
    "-0",
    "1e9",
    "null",
    "true",
    "ünïcödé",
    "日本語",
    "👩‍👩‍👧",
    "[",
    "(",
    "\\",
    "^(a+)+$",
    "ip4 && ip6",
    "==",
    "reg0[0..31] == 0",
    "{",
    "{}",
    "\"",
    "'",
    "2026-13-45T99:99:99Z",
    "-5m",
    "9999999d",
];

/// Values that would do harm if they reached a program, a database or a parser. The attack tests of the layers use the
/// same values.
static HOSTILE: LazyLock<Vec<String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../testdata/hostile.json")).expect("a list of texts")
});

/// The intention of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallIntent {
    Normal,
    Odd,
    Hostile,
}

impl CallIntent {
    /// Chooses an intention. Valid calls are more frequent than invalid calls, because only valid calls get far.
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.below(100) {
            0..60 => Self::Normal,
            60..85 => Self::Odd,
            _ => Self::Hostile,
        }
    }
}

/// A tool, as `tools/list` and the cases describe it.
pub(crate) struct Tool {
    pub(crate) name: String,
    schema: Value,
    /// Parameters of cases, which are valid.
    cases: Vec<Map<String, Value>>,
}

impl Tool {
    /// Reads the tool from its entry in `tools/list`.
    pub(crate) fn new(entry: &Value, cases: Vec<Map<String, Value>>) -> Option<Self> {
        let name = entry.get("name")?.as_str()?.to_owned();
        Some(Self { name, schema: entry.get("inputSchema")?.clone(), cases })
    }

    /// Returns parameters for a call.
    pub(super) fn arguments(&self, mood: CallIntent, words: &Words, random: &mut Random) -> Value {
        let mut arguments = match random.pick(&self.cases) {
            Some(case) if random.percent(60) => case.clone(),
            _ => Map::new(),
        };
        let none = Map::new();
        let properties = self.schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required = |name: &str| {
            self.schema
                .pointer("/required")
                .is_some_and(|all| all.as_array().is_some_and(|all| all.iter().any(|each| each == name)))
        };
        arguments.retain(|name, _| !LOOKS_ON.contains(&name.as_str()));
        let fresh = arguments.is_empty();
        for (name, schema) in properties {
            let likely = match name.as_str() {
                "node_name" => 85,
                "seconds" => 100,
                _ if fresh => 12,
                _ => 5,
            };
            if (fresh && required(name)) || random.percent(likely) {
                arguments.insert(name.clone(), value(name, schema, words, random));
            }
        }
        // Some nodes of the capture do not exist in the lab.
        if arguments.get("node_name").is_some_and(|node| node == "ovn-control-plane") {
            arguments.insert("node_name".into(), "ovn-worker".into());
        }
        if mood != CallIntent::Normal {
            let names: Vec<&String> = properties.keys().collect();
            for _ in 0..=random.below(2) {
                let Some(name) = random.pick(&names) else { break };
                let bad = if mood == CallIntent::Odd { odd(random) } else { hostile(random) };
                let listed = properties
                    .get(*name)
                    .and_then(|schema| schema.get("type"))
                    .is_some_and(|kind| kind == "array");
                arguments
                    .insert((*name).clone(), if listed && random.percent(70) { json!([bad]) } else { bad });
            }
            if random.percent(10) {
                arguments.insert("command".into(), "ovn-nbctl ls-add soak".into());
            }
        }
        Value::Object(arguments)
    }

    /// Returns calls that are valid except for one hostile value, with this number of values for each parameter.
    pub(crate) fn attacks(&self, values: usize, words: &Words, random: &mut Random) -> Vec<Value> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let mut all = Vec::new();
        for (name, schema) in properties.into_iter().flatten() {
            for _ in 0..values {
                let mut arguments = self.arguments(CallIntent::Normal, words, random);
                if let Some(arguments) = arguments.as_object_mut() {
                    let bad = hostile(random);
                    arguments.insert(name.clone(), within(schema, &bad));
                }
                all.push(arguments);
            }
        }
        all
    }
}

/// Puts a hostile text where a parameter takes text: into a list, and into each text of an object.
fn within(schema: &Value, bad: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => json!([within(schema.get("items").unwrap_or(&Value::Null), bad)]),
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let fields = properties.into_iter().flatten().map(|(name, schema)| {
                let first = schema.get("enum").and_then(|values| values.get(0)).cloned();
                (name.clone(), first.unwrap_or_else(|| within(schema, bad)))
            });
            fields.collect::<Map<_, _>>().into()
        }
        _ => bad.clone(),
    }
}

/// Returns a value that a schema allows.
fn value(name: &str, schema: &Value, words: &Words, random: &mut Random) -> Value {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return random.pick(values).cloned().unwrap_or_default();
    }
    if let Some(forms) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        return random.pick(forms).map_or(Value::Null, |form| value(name, form, words, random));
    }
    let number = |key: &str| schema.get(key).and_then(Value::as_i64);
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => random.percent(50).into(),
        Some("integer" | "number") => {
            // A tool that observes for a while needs only the shortest time.
            if LOOKS_ON.contains(&name) {
                return 1.into();
            }
            let least = number("minimum").unwrap_or(0);
            let most = match name {
                // Only the instructions of a server mention this limit.
                "timeout_seconds" => 300,
                _ => number("maximum").unwrap_or(least + 1000).min(least + 5000),
            };
            let span = usize::try_from(most - least + 1).unwrap_or(1);
            (least + i64::try_from(random.below(span)).unwrap_or_default()).into()
        }
        Some("array") => {
            let items = schema.get("items").cloned().unwrap_or_default();
            (0..=random.below(2)).map(|_| value(name, &items, words, random)).collect::<Vec<_>>().into()
        }
        Some("object") => json!({}),
        _ => {
            let named = NAMED.iter().find(|(known, _)| *known == name).filter(|_| random.percent(90));
            match named.and_then(|(_, words)| random.pick(words)) {
                Some(word) => (*word).into(),
                None => words.draw(random).into(),
            }
        }
    }
}

fn odd(random: &mut Random) -> Value {
    match random.below(6) {
        0 => [json!(-1), json!(0), json!(1), json!(i64::MAX), json!(u64::MAX), json!(1.5), json!(1e300)]
            .get(random.below(7))
            .cloned()
            .unwrap_or_default(),
        1 => "a".repeat(1 << random.below(14)).into(),
        2 => [json!(null), json!(true), json!([]), json!({}), json!([[]]), json!([null]), json!({ "a": 1 })]
            .get(random.below(7))
            .cloned()
            .unwrap_or_default(),
        3 => vec!["ovn-worker"; random.below(300)].into(),
        _ => random.pick(ODD).copied().unwrap_or_default().into(),
    }
}

fn hostile(random: &mut Random) -> Value {
    let one = |random: &mut Random| random.pick(&HOSTILE).map(String::as_str).unwrap_or_default();
    let text = match random.below(4) {
        0 => format!("{}{}", random.pick(WORDS).copied().unwrap_or_default(), one(random)),
        1 => format!("{} {}", random.pick(WORDS).copied().unwrap_or_default(), one(random)),
        _ => one(random).to_owned(),
    };
    text.into()
}

/// Words for the calls: known words, and words of earlier answers.
pub(crate) struct Words(Vec<String>);

/// The number of words that are kept.
const MOST_WORDS: usize = 4000;

impl Words {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Keeps some words of an answer.
    pub(crate) fn learn(&mut self, answer: &str, random: &mut Random) {
        let inside = |c: char| c.is_ascii_alphanumeric() || "_./:-=".contains(c);
        for word in answer.split(|c| !inside(c)).filter(|word| (3..=60).contains(&word.len())) {
            if self.0.len() < MOST_WORDS {
                self.0.push(word.into());
            } else if random.percent(5) {
                let index = random.below(MOST_WORDS);
                if let Some(place) = self.0.get_mut(index) {
                    *place = word.into();
                }
            }
        }
    }

    fn draw(&self, random: &mut Random) -> String {
        let learnt = random.pick(&self.0).filter(|_| random.percent(50)).cloned();
        learnt.unwrap_or_else(|| random.pick(WORDS).copied().unwrap_or_default().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Tool {
        let entry = json!({
            "name": "a",
            "inputSchema": {
                "properties": {
                    "node_name": { "type": "string" },
                    "table": { "enum": ["x", "y"] },
                    "columns": { "type": "array", "items": { "type": "string" } },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 9 },
                },
                "required": ["table"],
            },
        });
        Tool::new(&entry, Vec::new()).unwrap()
    }

    #[test]
    fn normal_calls_fit_the_schema_and_a_seed_gives_the_same_calls_again() {
        let tool = tool();
        let calls = |seed| {
            let mut random = Random::new(seed);
            (0..200)
                .map(|_| tool.arguments(CallIntent::Normal, &Words::new(), &mut random))
                .collect::<Vec<_>>()
        };
        for call in calls(1) {
            assert!(call["table"] == "x" || call["table"] == "y", "{call}");
            assert!(
                call.get("limit").is_none_or(|limit| (1..=9).contains(&limit.as_i64().unwrap())),
                "{call}"
            );
        }
        assert_eq!(calls(1), calls(1));
        assert_ne!(calls(1), calls(2));
    }

    #[test]
    fn hostile_calls_are() {
        let (tool, mut random) = (tool(), Random::new(3));
        let calls: String = (0..500)
            .map(|_| tool.arguments(CallIntent::Hostile, &Words::new(), &mut random).to_string())
            .collect();
        for text in ["ls-add soak", "--help", "\\n", "\\u0000", "$(touch"] {
            assert!(calls.contains(text), "{text}");
        }
    }
}
