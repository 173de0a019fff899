//! The use of one tool on the command line: its parameters, its examples and its shell completions.

use crate::{Layer, ToolEntry};
use clap::{Arg, ArgAction, builder::StyledStr};
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use serde_json::{Map, Value};
use std::{borrow::Cow, ffi::OsStr, fmt::Write, sync::Arc};

/// The name of the command-line argument that holds the parameters of a tool.
pub(crate) const ARGUMENTS: &str = "arguments";

/// Returns the first sentence of a tool's description, without its full stop.
pub(crate) fn first_sentence(tool: &ToolEntry) -> &'static str {
    tool.description.split_once(". ").map_or(tool.description, |(first, _)| first).trim_end_matches('.')
}

/// Returns the description of a tool, its parameters and its examples.
pub(crate) fn text(layer: &Layer, tool: &ToolEntry) -> String {
    format!(
        "{}: {} (toolset {})\n\n{}\n\n{}",
        tool.name,
        tool.title,
        tool.toolset,
        tool.description,
        body(layer, tool)
    )
}

/// Returns the subcommand of `call` that calls a tool.
pub(crate) fn command(layer: &Layer, tool: &ToolEntry) -> clap::Command {
    let schema = tool.schema.clone();
    let completer =
        ArgValueCompleter::new(move |typed: &OsStr| candidates(&schema, &typed.to_string_lossy()));
    let arguments = Arg::new(ARGUMENTS)
        .value_name("KEY=VALUE")
        .help("The parameters of the tool")
        .num_args(0..)
        .action(ArgAction::Append)
        .value_parser(argument)
        .add(completer);
    clap::Command::new(tool.name)
        .about(first_sentence(tool))
        .long_about(tool.description)
        .after_help(body(layer, tool) + "\n`call --help` lists the options that all tools share.")
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{after-help}\n")
        .arg(arguments)
}

/// Parses `KEY=VALUE`.
pub(crate) fn argument(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("the argument must have the form KEY=VALUE")?;
    Ok((key.trim().into(), value.into()))
}

/// Returns the arguments as a client sends them. An argument that is given several times becomes a list.
pub(crate) fn arguments(given: Vec<(String, String)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (key, value) in given {
        match all.get_mut(&key) {
            None => _ = all.insert(key, value.into()),
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
        }
    }
    all
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn values(property: &Value) -> Vec<&str> {
    match property.get("enum").and_then(Value::as_array) {
        Some(values) => values.iter().filter_map(Value::as_str).collect(),
        None if property.get("type").is_some_and(|kind| kind == "boolean") => vec!["true", "false"],
        None => Vec::new(),
    }
}

fn body(layer: &Layer, tool: &ToolEntry) -> String {
    let mut text = String::from("Parameters:\n");
    let required = tool.schema.get("required").and_then(Value::as_array);
    for (name, property) in properties(&tool.schema) {
        let of = |key| property.get(key).and_then(Value::as_str).unwrap_or_default();
        let value = match (values(property).as_slice(), of("type")) {
            ([], "integer") => "NUMBER".to_owned(),
            ([], "array") if property.pointer("/items/type").is_some_and(|of| of == "object") => {
                "CONDITION".into()
            }
            ([], "array") => "VALUE,…".into(),
            ([], _) => "TEXT".into(),
            (values, _) => values.join("|"),
        };
        let must = required.is_some_and(|all| all.iter().any(|one| one == name));
        let must = if must { " (required)" } else { "" };
        _ = writeln!(text, "  {name}={value}{must}\n      {}", of("description").replace('\n', " "));
    }
    let mut examples = layer.examples.iter().filter(|example| example.tool == tool.name).peekable();
    if examples.peek().is_some() {
        text += "\nExamples:\n";
    }
    for example in examples {
        let arguments: Vec<Cow<'_, str>> = example.arguments.iter().map(|text| quoted(text)).collect();
        _ = writeln!(text, "  {} call {} {}", layer.name, tool.name, arguments.join(" "));
    }
    text
}

/// Quotes an argument if a shell would change it.
fn quoted(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-=:.,/@%+".contains(c);
    if text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// Returns the completions of an argument: the names of parameters, or after `=` the values that a parameter can have.
fn candidates(schema: &Arc<Map<String, Value>>, typed: &str) -> Vec<CompletionCandidate> {
    let all = properties(schema).flat_map(|(name, property)| -> Vec<String> {
        match typed.split_once('=') {
            Some((key, _)) if key == name => {
                values(property).into_iter().map(|value| format!("{name}={value}")).collect()
            }
            Some(_) => Vec::new(),
            None => vec![format!("{name}=")],
        }
    });
    let help = |text: &str| {
        let property = text.split('=').next().and_then(|name| schema.get("properties")?.get(name));
        property
            .and_then(|it| it.get("description"))
            .and_then(Value::as_str)
            .map(|text| StyledStr::from(text.to_owned()))
    };
    all.filter(|text| text.starts_with(typed))
        .map(|text| {
            let help = help(&text);
            CompletionCandidate::new(text).help(help)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_and_their_values_are_completed() {
        let schema = json!({ "properties": {
            "table": { "type": "string", "description": "Name of the table." },
            "output": { "type": "string", "enum": ["table", "json"] },
            "wide": { "type": "boolean" },
        } });
        let schema = Arc::new(schema.as_object().cloned().unwrap_or_default());
        let completed = |typed: &str| -> Vec<String> {
            let all = candidates(&schema, typed);
            all.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(completed(""), ["table=", "output=", "wide="]);
        assert_eq!(completed("ta"), ["table="]);
        assert_eq!(completed("output="), ["output=table", "output=json"]);
        assert_eq!(completed("output=j"), ["output=json"]);
        assert_eq!(completed("wide="), ["wide=true", "wide=false"]);
        assert_eq!(completed("table="), [""; 0]);
        assert_eq!(completed("x"), [""; 0]);
    }

    #[test]
    fn an_argument_that_is_given_twice_is_a_list() {
        let given = [("a", "1"), ("b", "2"), ("a", "x=y"), ("a", "3")];
        let given = given.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        assert_eq!(Value::from(arguments(given)), json!({ "a": ["1", "x=y", "3"], "b": "2" }));
    }

    #[test]
    fn examples_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("table=ACL"), "table=ACL");
        assert_eq!(quoted("where=priority>1000"), "'where=priority>1000'");
        assert_eq!(quoted("grep=it's"), r"'grep=it'\''s'");
    }
}
