//! Checks the configurations of clients.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Tree;

/// The configurations that run all servers.
const CONFIGURATIONS: &[&str] = &[
    "deploy/clients/mcp.json",
    "deploy/clients/claude-code/.mcp.json",
    "deploy/clients/gemini/gemini-extension.json",
];

/// A client that runs only some of the servers cannot answer for the other layers.
pub(super) fn run_all_layers(tree: &Tree) -> Vec<String> {
    let layers: BTreeSet<&str> = tree.layers().map(|layer| layer.name.as_str()).collect();
    let mut problems = Vec::new();
    for (path, text) in CONFIGURATIONS.iter().filter_map(|path| Some((path, tree.text(path)?))) {
        let Ok(configuration) = serde_json::from_str::<Value>(text) else {
            problems.push(format!("{path} is not JSON"));
            continue;
        };
        let servers = configuration.get("mcpServers").and_then(Value::as_object).into_iter().flatten();
        let commands = servers.filter_map(|(_, server)| server.get("command").and_then(Value::as_str));
        let programs: BTreeSet<&str> = commands.filter_map(|command| command.rsplit('/').next()).collect();
        problems.extend(layers.difference(&programs).map(|name| format!("{path} does not run {name}")));
        let unknown = programs.difference(&layers);
        problems.extend(unknown.map(|name| format!("{path} runs {name}, which is not a server")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::example::problems, *};

    #[test]
    fn a_server_that_is_missing_or_unknown_is_found() {
        let [path, ..] = CONFIGURATIONS else { panic!("no configuration") };
        let server =
            |command: &str| format!(r#"{{ "mcpServers": {{ "a": {{ "command": "{command}" }} }} }}"#);
        for (text, expected) in [
            (server("/usr/local/bin/mcp-ovn"), vec![]),
            ("{}".into(), vec![format!("{path} does not run mcp-ovn")]),
            (
                server("mcp-other"),
                vec![
                    format!("{path} does not run mcp-ovn"),
                    format!("{path} runs mcp-other, which is not a server"),
                ],
            ),
            ("{".into(), vec![format!("{path} is not JSON")]),
        ] {
            assert_eq!(problems(run_all_layers, path, &text), expected, "{text}");
        }
    }
}
