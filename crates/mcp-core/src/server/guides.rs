//! The guides of a layer in the forms that MCP has: prompts, skills (SEP-2640), and resources.
//!
//! A skill is also served as a resource, so that a client without the skills extension can read it.

use crate::{
    Document, Layer, Prompt, PromptArgument,
    evidence::{COVERAGE, EvidenceStore},
};
use rmcp::model::{
    self, Resource, ResourceContents, ResourceTemplate, SkillFrontmatter, SkillResource, SkillResources,
};

const MARKDOWN: &str = "text/markdown";

pub(super) const PLAIN: &str = "text/plain";

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

/// Returns the skills and documents in the order of the layer's tables, and the coverage of the source.
pub(super) fn resources(layer: &Layer, evidence: &EvidenceStore) -> Vec<Resource> {
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
    let coverage = Resource::new(evidence.uri(COVERAGE), COVERAGE)
        .with_title("Coverage of the source")
        .with_description(
            "The state of the data by node and area: present, empty, absent or damaged, and why. It also names the copies that are read.",
        )
        .with_mime_type(PLAIN);
    all.map(|resource| resource.with_mime_type(MARKDOWN)).chain([coverage]).collect()
}

/// Returns the resource template of a call's evidence.
pub(super) fn template(evidence: &EvidenceStore) -> ResourceTemplate {
    ResourceTemplate::new(evidence.uri("{call}"), "evidence")
        .with_title("Evidence of an answer")
        .with_description(
            "Every file, command and query that a call read and when, the copies that were not read, and all notes. The first \
             line of an answer names this resource.",
        )
        .with_mime_type(PLAIN)
}

/// Returns the text of a skill or a document.
pub(super) fn contents(layer: &Layer, uri: &str) -> Option<ResourceContents> {
    let skill = layer.prompts.iter().find(|prompt| prompt.uri(layer.name) == uri).map(Prompt::skill);
    let document = || layer.documents.iter().find(|document| document.uri(layer.name) == uri);
    let text = skill.or_else(|| Some((document()?.text)()))?;
    Some(ResourceContents::text(text, uri).with_mime_type(MARKDOWN))
}
