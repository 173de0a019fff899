//! Outputs of commands and Kubernetes objects of a generated node.

use super::names::{Class, Names, Repeat};
use ovsdb::Uuid;

/// How an output is divided into the parts that are repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// A line that is not indented, with the indented lines after it.
    Blocks,
    /// Each line.
    Lines,
}

/// Returns the output of a command on a node.
pub(super) fn output(names: &Names, text: &str, parts: Parts, node: usize) -> String {
    let mut written = String::new();
    for block in blocks(text, parts) {
        if block.first().is_some_and(|first| names.class(&without_elements(first)) == Class::LeftOut) {
            continue;
        }
        let mut lines = Vec::new();
        let mut is_out = false;
        for line in block {
            // The line after an address says how long the address is valid.
            let follows = is_out && line.trim_start().starts_with("valid_lft");
            is_out = follows || names.class(&without_elements(line)) == Class::LeftOut;
            if !is_out {
                lines.push(line);
            }
        }
        let class = lines.iter().map(|line| names.class(&without_elements(line))).max().unwrap_or(Class::Own);
        for repeat in names.repeats(class, Repeat::of(node)) {
            for (at, line) in lines.iter().enumerate() {
                let line = if at == 0 { with_index(line, repeat) } else { (*line).to_owned() };
                written += &elements(names, &line, repeat);
                written.push('\n');
            }
        }
    }
    written
}

fn blocks(text: &str, parts: Parts) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if parts == Parts::Blocks && line.starts_with([' ', '\t']) => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
}

/// Returns the line of an interface with an index of its own, if the interface is that of a tenant.
fn with_index(line: &str, repeat: Repeat) -> String {
    let index = line.split_once(": ").and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
    match (index, repeat.tenant) {
        (Some((index, rest)), Some(tenant)) => format!("{}: {rest}", 100 + 16 * tenant + index),
        _ => line.to_owned(),
    }
}

/// Divides a line of nft with the elements of a set.
fn split_elements(line: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = line.split_once("elements = { ")?;
    let (elements, after) = rest.split_once(" }")?;
    Some((before, elements, after))
}

fn without_elements(line: &str) -> String {
    split_elements(line).map_or_else(|| line.to_owned(), |(before, _, after)| format!("{before}{after}"))
}

/// Returns a line with its facts replaced, and with the elements of a set repeated.
fn elements(names: &Names, line: &str, repeat: Repeat) -> String {
    let Some((before, elements, after)) = split_elements(line) else { return names.rename(line, repeat) };
    let elements = elements.split(", ").flat_map(|element| {
        let repeats = names.repeats(names.class(element), repeat).into_iter();
        repeats.map(|repeat| names.rename(element, repeat)).collect::<Vec<_>>()
    });
    format!("{before}elements = {{ {} }}{after}", elements.collect::<Vec<_>>().join(", "))
}

/// Returns an object of the node, without the parts that are left out.
pub(super) fn object_of_node(names: &Names, text: &str, node: usize) -> String {
    let text = text
        .replace(r#""blue_l3-secondary":["10.201.1.0/24"],"#, "")
        .replace("node-id: \"2\"", &format!("node-id: \"{}\"", Names::id(node)));
    let lines = without_managed_fields(&text);
    let lines = lines.into_iter().filter(|line| names.class(line) != Class::LeftOut);
    lines.map(|line| identified(names, line, Repeat::of(node)) + "\n").collect()
}

/// Returns a list of objects. A pod of the recorded node is repeated for every node; of all other objects, the elements
/// that name this node are.
pub(super) fn list(names: &Names, text: &str, tenant: Option<usize>) -> String {
    let all = |node| Repeat { tenant, ..Repeat::of(node) };
    let mut written = String::new();
    let lines = without_managed_fields(text);
    let mut items: Vec<Vec<&str>> = Vec::new();
    for line in lines {
        match items.last_mut() {
            Some(item) if line.starts_with(' ') => item.push(line),
            _ => items.push(vec![line]),
        }
    }
    for item in items {
        if !item.contains(&"  kind: Pod") {
            written += &shared(names, &item, tenant);
        } else if item.contains(&"    nodeName: ovn-worker") {
            for node in 1..=names.nodes {
                item.iter().for_each(|line| written += &(identified(names, line, all(node)) + "\n"));
            }
        }
    }
    written
}

/// Returns an object that all nodes share, with the outermost elements of its lists repeated for all nodes if they name
/// the recorded node.
fn shared(names: &Names, lines: &[&str], tenant: Option<usize>) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let repeat = |node| Repeat { tenant, ..Repeat::of(node) };
    let (mut written, mut at) = (String::new(), 0);
    while let Some(line) = lines.get(at) {
        let is_element = indent(line) > 0 && line.trim_start().starts_with("- ");
        let length = if is_element {
            1 + lines.iter().skip(at + 1).take_while(|next| indent(next) > indent(line)).count()
        } else {
            1
        };
        let part = lines.get(at..at + length).unwrap_or_default();
        at += length;
        let text = part.join("\n");
        let nodes = match names.class(&text) {
            _ if !is_element => 1..2,
            Class::Peer | Class::LeftOut => 0..0,
            _ if names.is_of_worker(&text) => 1..names.nodes + 1,
            _ => 1..2,
        };
        for node in nodes {
            part.iter().for_each(|line| written += &(identified(names, line, repeat(node)) + "\n"));
        }
    }
    written
}

/// Returns a line with its facts replaced. An identifier that is not a fact gets a new value, too.
fn identified(names: &Names, line: &str, repeat: Repeat) -> String {
    let renamed = names.rename(line, repeat);
    if renamed != line || !line.trim_start().trim_start_matches("- ").starts_with("uid: ") {
        return renamed;
    }
    // An identifier in a list is that of an owner, which all nodes share.
    let is_of_owner = line.starts_with("      ") || line.trim_start().starts_with("- ");
    let repeat = if is_of_owner { Repeat { node: 0, ..repeat } } else { repeat };
    let uid = line.rsplit(' ').next().and_then(|uid| Some((uid, uid.parse::<Uuid>().ok()?)));
    uid.map_or(renamed, |(text, uid)| line.replace(text, &names.uuid(uid, repeat).to_string()))
}

/// Returns the lines without the fields that say who wrote which field.
fn without_managed_fields(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut within: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let is_part =
            |start: usize| indent > start || (indent == start && line.trim_start().starts_with("- "));
        if within.is_some_and(is_part) {
            continue;
        }
        within = (line.trim() == "managedFields:").then_some(indent);
        if within.is_none() {
            lines.push(line);
        }
    }
    lines
}
