//! The reference of a layer for the documentation. It is generated from the code, so that it cannot be wrong.

use crate::{
    Layer,
    argv::{AllowedPrograms, Program, Verb, WordPart},
    commands, params,
};
use serde_json::Value;
use std::fmt::Write;

/// Returns the reference of the tools, prompts and resources in Markdown.
pub(crate) fn tools(layer: &Layer) -> String {
    let mut text = format!("# {}: tools\n\n{}\n\n{}\n", layer.name, layer.instructions, params::SHARED);
    for tool in &layer.tools {
        _ = write!(text, "\n## {}\n\n{} (toolset `{}`)\n\n", tool.name, tool.description, tool.toolset);
        text += "| parameter | type | meaning |\n| --- | --- | --- |\n";
        let required = tool.schema.get("required").and_then(Value::as_array);
        let properties = tool.schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let of = |key| property.get(key).and_then(Value::as_str).unwrap_or_default();
            let must = required.is_some_and(|all| all.iter().any(|n| n == name));
            let values = property.get("enum").and_then(Value::as_array).map(|values| {
                let values: Vec<String> =
                    values.iter().filter_map(Value::as_str).map(|v| format!("`{v}`")).collect();
                format!(" One of {}.", values.join(", "))
            });
            _ = writeln!(
                text,
                "| `{name}`{} | {} | {}{} |",
                if must { " (required)" } else { "" },
                of("type"),
                of("description").replace('\n', " ").replace('|', "\\|"),
                values.unwrap_or_default()
            );
        }
    }
    if !layer.prompts.is_empty() {
        text += "\n## Prompts\n\nEach prompt is also a skill and a resource: `skill://<server>/<name with hyphens>/SKILL.md`.\n";
    }
    for prompt in &layer.prompts {
        _ = write!(text, "\n### {}\n\n{}\n\n", prompt.name, prompt.description);
        for argument in prompt.arguments {
            let must = if argument.required { "" } else { " (optional)" };
            _ = writeln!(text, "- `{}`{must}: {}", argument.name, argument.description);
        }
    }
    if !layer.documents.is_empty() {
        text += "\n## Resources\n\n";
    }
    for document in &layer.documents {
        _ = writeln!(text, "- `{}`: {}", document.uri(layer.name), document.description);
    }
    text
}

/// Returns the reference of every command that the server can run, in Markdown. A reviewer reads it to check that all
/// commands only read.
pub(crate) fn commands(layer: &Layer) -> String {
    let mut text = format!(
        "# {}: commands\n\nAll commands that this server can run. `<…>` is an operand, which its type validates; \
         `[…]` is optional.\n",
        layer.name
    );
    let titled = [("This layer", layer.allow), ("Every layer (from mcp-core)", commands::ALLOW)];
    for (title, allow) in titled.into_iter().filter(|(_, allow)| !allow.0.is_empty()) {
        _ = write!(text, "\n## {title}\n\n");
        text += &table(allow);
    }
    text
}

fn table(AllowedPrograms(programs): AllowedPrograms) -> String {
    let mut text = String::from("| command | why it only reads |\n| --- | --- |\n");
    for program in programs {
        for verb in program.verbs {
            _ = writeln!(text, "| `{}` | {} |", phrase(program, verb), verb.reads_only);
        }
    }
    text
}

fn phrase(program: &Program, verb: &Verb) -> String {
    // A word with blanks is in quotes, so that the words of the phrase can be told apart.
    let quoted = |word: &str| if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() };
    let optional = |word: &&str| format!("[{}]", quoted(word));
    let operand = |parts: &[WordPart]| {
        parts.iter().fold(String::new(), |word, part| match part {
            WordPart::Text(text) => word + text,
            WordPart::Operand(kind) => format!("{word}<{kind}>"),
        })
    };
    let mut words = vec![program.name.to_owned()];
    words.extend(program.globals.iter().map(optional));
    words.extend(verb.words.iter().map(|word| quoted(word)));
    words.extend(verb.options.iter().map(optional));
    words.extend(verb.operands.iter().map(|parts| quoted(&operand(parts))));
    words.join(" ")
}
