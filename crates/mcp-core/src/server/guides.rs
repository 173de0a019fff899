//! What a layer tells about the use of its tools, as MCP has it: prompts, skills (SEP-2640), and resources.
//!
//! A skill is a resource too, so that a client without that extension can read it.

use crate::{Document, Layer, Prompt, PromptArgument};
use rmcp::model::{self, Resource, ResourceContents, SkillFrontmatter, SkillResource, SkillResources};

const MARKDOWN: &str = "text/markdown";

pub(super) fn prompt(prompt: &Prompt) -> model::Prompt {
    let argument = |a: &PromptArgument| {
        model::PromptArgument::new(a.name).with_description(a.description).with_required(a.required)
    };
    let arguments = prompt.arguments.iter().map(argument).collect();
    model::Prompt::new(prompt.name, Some(prompt.description), Some(arguments)).with_title(prompt.title)
}

pub(super) fn skill(layer: &Layer, prompt: &Prompt) -> model::Skill {
    let uri = prompt.uri(layer.name);
    let file = SkillResource::from_bytes(&uri, prompt.skill().as_bytes());
    let front = SkillFrontmatter::new(prompt.skill_name(), prompt.description);
    model::Skill::new(uri, front, SkillResources::Files(vec![file]))
}

/// Skills and documents, in the order of the layer's tables.
pub(super) fn resources(layer: &Layer) -> Vec<Resource> {
    let skill = |prompt: &Prompt| {
        Resource::new(prompt.uri(layer.name), prompt.skill_name())
            .with_title(prompt.title)
            .with_description(prompt.description)
    };
    let document = |document: &Document| {
        Resource::new(document.uri(layer.name), document.name)
            .with_title(document.title)
            .with_description(document.description)
    };
    let all = layer.prompts.iter().map(skill).chain(layer.documents.iter().map(document));
    all.map(|resource| resource.with_mime_type(MARKDOWN)).collect()
}

/// What a resource holds.
pub(super) fn contents(layer: &Layer, uri: &str) -> Option<ResourceContents> {
    let skill = layer.prompts.iter().find(|prompt| prompt.uri(layer.name) == uri).map(Prompt::skill);
    let document = || layer.documents.iter().find(|document| document.uri(layer.name) == uri);
    let text = skill.or_else(|| Some((document()?.text)()))?;
    Some(ResourceContents::text(text, uri).with_mime_type(MARKDOWN))
}
