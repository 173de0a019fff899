//! Prompts name tools of all servers: those that there are.

use mcp_core::{TOOLS, unknown_tools};

#[test]
fn every_tool_that_a_prompt_names_exists() {
    let layer = mcp_k8s::layer();
    assert_eq!(layer.prompts.len(), 10, "one for each complaint");
    for prompt in &layer.prompts {
        assert_eq!(unknown_tools(prompt.text), Vec::<String>::new(), "{}", prompt.name);
        assert!(prompt.text.len() < 3_500, "{} has {} bytes", prompt.name, prompt.text.len());
        for argument in prompt.arguments {
            assert!(
                prompt.text.contains(&format!("{{{}}}", argument.name)),
                "{}: {}",
                prompt.name,
                argument.name
            );
        }
    }
}

/// A prompt that sends the model to another one sends it to one that there is.
#[test]
fn every_prompt_that_a_prompt_names_exists() {
    let layer = mcp_k8s::layer();
    let names: Vec<&str> = layer.prompts.iter().map(|prompt| prompt.name).collect();
    let mut named = 0;
    for prompt in &layer.prompts {
        for after in prompt.text.split("prompt ").skip(1) {
            let name =
                after.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap_or_default();
            assert!(names.contains(&name), "{}: {name}", prompt.name);
            named += 1;
        }
    }
    assert!(named > 5, "{named}");
}

#[test]
fn the_tools_of_this_layer_are_in_the_list_of_all() {
    let (_, known) = TOOLS.iter().find(|(server, _)| *server == "mcp-k8s").expect("it is in the list");
    for tool in mcp_k8s::layer().tools {
        assert!(known.contains(&tool.name), "{}", tool.name);
    }
}
