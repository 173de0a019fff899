//! Tests the prompts. `cargo xtask tidy` checks that the tools that they name exist.

#[test]
fn there_is_a_prompt_for_each_complaint() {
    let layer = mcp_k8s::layer();
    assert_eq!(layer.prompts.len(), 10, "there is one prompt for each complaint");
    for prompt in &layer.prompts {
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

/// Every prompt that another prompt refers to exists.
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
