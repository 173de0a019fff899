//! Describes one object like `kubectl describe`, and decodes the annotations that OVN-Kubernetes wrote on it.

mod node;
mod pod;

use crate::table::{Object, aligned, since};
use jiff::Timestamp;
use mcp_core::{ObjectKind, Row};
use ovn_model::annotations;
use serde_json::Value;
use std::sync::Arc;

/// The maximum number of characters of an annotation that are shown, because some annotations hold whole objects.
const ANNOTATION: usize = 300;
/// The maximum number of characters of a volume that are shown.
const VOLUME: usize = 120;

/// A section of a description: a heading and its lines.
pub(crate) struct Section {
    heading: Arc<str>,
    lines: Vec<String>,
}

impl Section {
    pub(crate) fn new(heading: &str, lines: Vec<String>) -> Self {
        Self { heading: format!("{heading}:").into(), lines }
    }

    /// Returns a row for each line, so that paging can split a long section.
    pub(crate) fn rows(self) -> impl Iterator<Item = Row> {
        let Self { heading, lines } = self;
        lines.into_iter().map(move |line| Row::line(format!("  {line}")).under(&heading))
    }
}

/// Returns the sections that the object itself provides: everything except events and endpoint slices.
pub(crate) fn sections(kind: &ObjectKind, object: &Value, as_of: Option<Timestamp>) -> Vec<Section> {
    let it = Object(object);
    let mut all = vec![Section::new(&kind.kind, identity(kind, it, as_of))];
    let (ours, others) = annotated(it);
    all.push(Section::new("OVN-Kubernetes annotations", ours));
    all.push(Section::new("Other annotations", others));
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "pods") => all.extend(pod::sections(it, as_of)),
        ("", "nodes") => all.extend(node::sections(it)),
        _ => all.extend(whole(object)),
    }
    all.push(Section::new("Conditions", conditions(it, as_of)));
    all.retain(|section| !section.lines.is_empty());
    all
}

/// Returns the lines with name, namespace, times, owner and labels.
fn identity(kind: &ObjectKind, it: Object<'_>, as_of: Option<Timestamp>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{what}: {text}"));
        }
    };
    say("name", it.text("/metadata/name").into());
    say("namespace", it.text("/metadata/namespace").into());
    say("api version", kind.api_version());
    say("created", time(it.at("/metadata/creationTimestamp"), as_of));
    say("being deleted since", time(it.at("/metadata/deletionTimestamp"), as_of));
    say("finalizers", it.texts("/metadata/finalizers").join(", "));
    let owner = |owner: Object<'_>| format!("{}/{}", owner.text("/kind"), owner.text("/name"));
    say("owner", it.list("/metadata/ownerReferences").map(owner).collect::<Vec<_>>().join(", "));
    let labels = it.map("/metadata/labels").into_iter();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.0.as_str().unwrap_or_default()));
    say("labels", labels.collect::<Vec<_>>().join(", "));
    lines
}

/// Returns the annotations of OVN-Kubernetes and Multus, decoded, and all other annotations, truncated if they are
/// long.
fn annotated(it: Object<'_>) -> (Vec<String>, Vec<String>) {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for (key, value) in it.map("/metadata/annotations") {
        let text = value.0.as_str().unwrap_or_default();
        let shown = annotations::readable(key, text);
        let is_ours = shown.is_some() || key.contains("ovn.org/");
        let to = if is_ours { &mut ours } else { &mut others };
        match shown {
            Some(shown) if shown.contains('\n') => {
                to.push(format!("{key}:"));
                to.extend(shown.lines().map(|line| format!("  {line}")));
            }
            Some(shown) => to.push(format!("{key}: {shown}")),
            None => to.push(format!("{key}: {}", cut(text, ANNOTATION))),
        }
    }
    (ours, others)
}

/// Returns the beginning of a text on one line. A truncated text ends with its size in bytes.
fn cut(text: &str, characters: usize) -> String {
    let line = text.trim().replace('\n', " ");
    match line.char_indices().nth(characters) {
        None => line,
        Some((at, _)) => format!("{}… ({} bytes in total)", line.get(..at).unwrap_or_default(), text.len()),
    }
}

/// Returns all other fields of an object as YAML, one section for each top-level field.
fn whole(object: &Value) -> Vec<Section> {
    let known = ["apiVersion", "kind", "metadata"];
    let fields = object.as_object().into_iter().flatten().filter(|(key, _)| !known.contains(&key.as_str()));
    fields
        .map(|(key, value)| {
            let mut value = value.clone();
            if let Some(status) = value.as_object_mut().filter(|_| key == "status") {
                status.shift_remove("conditions");
            }
            let empty = value.as_object().is_some_and(serde_json::Map::is_empty);
            Section::new(key, if empty { Vec::new() } else { mcp_core::yaml_lines(&value) })
        })
        .collect()
}

fn conditions(it: Object<'_>, as_of: Option<Timestamp>) -> Vec<String> {
    let mut all = vec![["TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"].map(str::to_owned).to_vec()];
    for condition in it.list("/status/conditions") {
        let text = |path| condition.text(path).replace('\n', " ");
        let age = since(condition.at("/lastTransitionTime").0, as_of);
        all.push(vec![text("/type"), text("/status"), age, text("/reason"), text("/message")]);
    }
    if all.len() == 1 { Vec::new() } else { aligned(&all) }
}

/// Formats a time as `2026-11-22T08:13:45Z (21m ago)`. Returns an empty string if the field is absent.
fn time(value: Object<'_>, as_of: Option<Timestamp>) -> String {
    match value.0.as_str() {
        Some(text) => format!("{text} ({} ago)", since(value.0, as_of)),
        None => String::new(),
    }
}
