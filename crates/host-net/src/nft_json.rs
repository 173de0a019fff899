//! nftables from `nft -j list ruleset` (libnftables-json(5)). The objects are the same as those of the text output.
//!
//! Rules are printed as in the text output. Unknown expressions stay JSON.

use crate::{
    lines::Text,
    nft::{NftObject, NftRule},
};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// Parses the objects of a ruleset. Returns `None` if the text is not the JSON of a ruleset.
pub(crate) fn parse(text: Text<'_>) -> Option<Vec<NftObject>> {
    let whole: Value = serde_json::from_str(text.as_str()).ok()?;
    let mut objects: Vec<NftObject> = Vec::new();
    let mut tables: Vec<NftObject> = Vec::new();
    for (kind, fields) in whole.get("nftables")?.as_array()?.iter().filter_map(Value::as_object).flatten() {
        if text.must_stop() {
            break;
        }
        let Some(fields) = fields.as_object() else { continue };
        match kind.as_str() {
            "metainfo" => {}
            "table" => tables.push(object(kind, fields)),
            "rule" => {
                let [family, table, chain] = ["family", "table", "chain"].map(|key| string(fields, key));
                let is_its = |it: &&mut NftObject| {
                    it.kind == "chain" && it.family == family && it.table == table && it.name == chain
                };
                objects.iter_mut().find(is_its)?.rules.push(rule(fields));
            }
            _ => objects.push(object(kind, fields)),
        }
    }
    // The order is that of the text output: the objects of a table with sets before chains, and then the table itself
    // if it is empty or has properties.
    objects.sort_by_key(|it| it.kind == "chain");
    let of = |table: NftObject| {
        let is_its = |it: &&NftObject| it.family == table.family && it.table == table.table;
        let mut own: Vec<NftObject> = objects.iter().filter(is_its).cloned().collect();
        if own.is_empty() || !table.properties.is_empty() {
            own.push(table);
        }
        own
    };
    Some(tables.into_iter().take_while(|_| !text.must_stop()).flat_map(of).collect())
}

fn string(fields: &Fields, key: &str) -> String {
    fields.get(key).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn object(kind: &str, fields: &Fields) -> NftObject {
    let is_table = kind == "table";
    let mut properties = Vec::new();
    let quoted = |key: &str| fields.get(key).map(|text| format!("{key} \"{}\"", plain(text)));
    if let Some(hook) = fields.get("hook") {
        properties.extend(quoted("comment"));
        let device = fields.get("dev").map(|dev| format!("device \"{}\" ", plain(dev))).unwrap_or_default();
        let priority = priority(
            fields.get("prio").and_then(Value::as_i64).unwrap_or(0),
            &plain(hook),
            &string(fields, "family"),
        );
        properties.push(format!(
            "type {} hook {} {device}priority {priority}; policy {};",
            string(fields, "type"),
            plain(hook),
            string(fields, "policy")
        ));
    } else {
        let values = fields.get("map").map(|to| format!(" : {}", types(to))).unwrap_or_default();
        properties.extend(fields.get("type").map(|of| format!("type {}{values}", types(of))));
        properties.extend(fields.get("flags").map(|flags| format!("flags {}", list(flags, ","))));
        for key in ["size", "timeout", "gc-interval"] {
            properties.extend(fields.get(key).map(|value| format!("{key} {}", plain(value))));
        }
        properties.extend(quoted("comment"));
    }
    NftObject {
        family: string(fields, "family"),
        table: string(fields, if is_table { "name" } else { "table" }),
        kind: kind.into(),
        name: if is_table { String::new() } else { string(fields, "name") },
        handle: fields.get("handle").map(plain),
        properties,
        rules: Vec::new(),
        elements: fields.get("elem").and_then(Value::as_array).into_iter().flatten().map(element).collect(),
    }
}

/// Prints the types of a key: `ipv4_addr . inet_proto`.
fn types(value: &Value) -> String {
    list(value, " . ")
}

fn list(value: &Value, between: &str) -> String {
    match value.as_array() {
        Some(all) => all.iter().map(expression).collect::<Vec<_>>().join(between),
        None => plain(value),
    }
}

/// Prints a priority as nft does: by name, or relative to a name if it is near one.
fn priority(number: i64, hook: &str, family: &str) -> String {
    const NAMED: [(&str, i64, &[&str]); 6] = [
        ("raw", -300, &[]),
        ("mangle", -150, &[]),
        ("dstnat", -100, &["prerouting", "output"]),
        ("filter", 0, &[]),
        ("security", 50, &[]),
        ("srcnat", 100, &["postrouting"]),
    ];
    let fits = |(name, _, hooks): &&(&str, i64, &[&str])| {
        (hooks.is_empty() || hooks.contains(&hook)) && (family != "netdev" || *name == "filter")
    };
    match NAMED.iter().filter(fits).find(|(_, of, _)| (number - of).abs() <= 10) {
        Some((name, of, _)) if *of == number => (*name).into(),
        Some((name, of, _)) if number > *of => format!("{name} + {}", number - of),
        Some((name, of, _)) => format!("{name} - {}", of - number),
        None => number.to_string(),
    }
}

/// Prints an element of a set, or an element of a map with its value.
fn element(value: &Value) -> String {
    match value.as_array().map(Vec::as_slice) {
        Some([key, to]) => format!("{} : {}", expression(key), verdict(to)),
        _ => expression(value),
    }
}

fn verdict(value: &Value) -> String {
    let is_verdict =
        value.as_object().is_some_and(|it| it.keys().all(|key| VERDICTS.contains(&key.as_str())));
    if is_verdict { statement(value) } else { expression(value) }
}

const VERDICTS: [&str; 6] = ["accept", "drop", "return", "continue", "jump", "goto"];

fn rule(fields: &Fields) -> NftRule {
    let mut parts: Vec<String> =
        fields.get("expr").and_then(Value::as_array).into_iter().flatten().map(statement).collect();
    parts.extend(fields.get("comment").map(|text| format!("comment \"{}\"", plain(text))));
    NftRule { text: parts.join(" "), handle: fields.get("handle").map(plain) }
}

/// Prints a statement of a rule.
fn statement(value: &Value) -> String {
    let Some((name, of)) = value.as_object().and_then(|it| it.iter().next()) else { return plain(value) };
    let part = |key: &str| of.get(key);
    let shown = |key: &str| part(key).map(expression).unwrap_or_default();
    match name.as_str() {
        "match" => {
            let operator = match shown("op").as_str() {
                "==" | "in" => " ".to_owned(),
                other => format!(" {other} "),
            };
            let right = part("right").map(|right| operand(right, part("left"))).unwrap_or_default();
            format!("{}{operator}{right}", shown("left"))
        }
        "mangle" => {
            let value = part("value").map(|value| operand(value, part("key"))).unwrap_or_default();
            format!("{} set {value}", shown("key"))
        }
        "counter" if of.is_object() => {
            format!("counter packets {} bytes {}", shown("packets"), shown("bytes"))
        }
        "jump" | "goto" => format!("{name} {}", shown("target")),
        "vmap" => format!("{} vmap {}", shown("key"), shown("data")),
        "dnat" | "snat" | "redirect" | "masquerade" => {
            let family = part("family").map(|family| format!(" {}", plain(family))).unwrap_or_default();
            let port = part("port").map(|port| format!(":{}", expression(port))).unwrap_or_default();
            let to = format!("{}{port}", shown("addr"));
            let flags = part("flags").map(|flags| format!(" {}", list(flags, ","))).unwrap_or_default();
            let to = if to.is_empty() { String::new() } else { format!(" to {to}") };
            format!("{name}{family}{to}{flags}")
        }
        // iptables created this statement, and the JSON contains only its name.
        "xt" => format!("xt {} \"{}\"", shown("type"), shown("name")),
        _ if of.is_null() => name.clone(),
        _ => value.to_string(),
    }
}

/// Prints the value of a comparison or an assignment: a mark in hexadecimal, the name of an interface in quotes.
fn operand(value: &Value, of: Option<&Value>) -> String {
    let key = of.and_then(|of| of.get("meta").or(of.get("ct"))?.get("key")).map(plain).unwrap_or_default();
    match value {
        Value::Number(number) if key == "mark" => format!("{:#010x}", number.as_u64().unwrap_or_default()),
        Value::String(name) if key.starts_with("iif") || key.starts_with("oif") => format!("\"{name}\""),
        Value::Array(_) => list(value, ","),
        value => expression(value),
    }
}

fn expression(value: &Value) -> String {
    let Some((name, of)) = value.as_object().and_then(|it| it.iter().next()) else { return plain(value) };
    let shown = |key: &str| of.get(key).map(expression).unwrap_or_default();
    match name.as_str() {
        "payload" if of.get("field").is_some() => format!("{} {}", shown("protocol"), shown("field")),
        "payload" => format!("@{},{},{}", shown("base"), shown("offset"), shown("len")),
        // nft prints these keys without `meta`.
        "meta" if ["iif", "oif"].iter().any(|start| shown("key").starts_with(start)) => shown("key"),
        "meta" => format!("meta {}", shown("key")),
        "ct" => ["ct".to_owned(), shown("dir"), shown("key")]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        "fib" => format!(
            "fib {} {}",
            of.get("flags").map(|flags| list(flags, " . ")).unwrap_or_default(),
            shown("result")
        ),
        "prefix" => format!("{}/{}", shown("addr"), shown("len")),
        "range" => list(of, "-"),
        "concat" => list(of, " . "),
        "set" => {
            let all = of.as_array().into_iter().flatten().map(element);
            format!("{{ {} }}", all.collect::<Vec<_>>().join(", "))
        }
        "map" => format!("{} map {}", shown("key"), shown("data")),
        "&" | "|" | "^" | "<<" | ">>" => list(of, &format!(" {name} ")),
        "elem" => {
            let of_elem = of.as_object().into_iter().flatten().filter(|(key, _)| *key != "val");
            let more: String = of_elem
                .map(|(key, value)| match key.as_str() {
                    "comment" => format!(" comment \"{}\"", plain(value)),
                    "counter" => format!(" {}", statement(&serde_json::json!({ "counter": value }))),
                    "timeout" | "expires" => format!(" {key} {}s", plain(value)),
                    _ => format!(" {key} {value}"),
                })
                .collect();
            format!("{}{more}", shown("val"))
        }
        _ => value.to_string(),
    }
}
