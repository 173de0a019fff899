//! What happened to a packet, as a tree, and as the text that ovn-trace prints of it.

use std::fmt::Write as _;

/// What a line of a trace is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A packet goes out, or does not.
    Output,
    /// A field of the packet changes.
    Modify,
    /// An action, as the flow has it.
    Action,
    /// Something is wrong, or not known.
    Error,
    /// The packet enters a pipeline.
    Pipeline,
    /// The flow of a stage that matches.
    Table,
    /// Another packet, or the same after connection tracking: what follows happens to it.
    Transformation,
}

/// One line, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub kind: Kind,
    /// The line.
    pub text: String,
    /// What follows from it.
    pub within: Vec<Line>,
    /// Whether it is one of several at its place, which are then indented.
    pub indent: bool,
}

impl Line {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), within: Vec::new(), indent: false }
    }

    const fn ends(&self) -> bool {
        matches!(self.kind, Kind::Output | Kind::Modify | Kind::Action | Kind::Error)
    }
}

/// The text of `ovn-trace --detailed`: every flow and every action.
#[must_use]
pub fn detailed(lines: &[Line]) -> String {
    let mut text = String::new();
    details(&mut text, lines, 0);
    text
}

fn details(text: &mut String, lines: &[Line], level: usize) {
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.kind != Kind::Modify) {
        // The last line of all does not indent what follows from it, so that a long way does not wander right.
        let more = usize::from(at + 1 < lines.len() || line.indent || line.ends());
        let indent = " ".repeat((level + more) * 4);
        if matches!(line.kind, Kind::Pipeline | Kind::Transformation) {
            let _ = writeln!(text, "\n{indent}{}\n{indent}{}", line.text, "-".repeat(line.text.len()));
        } else {
            let _ = writeln!(text, "{indent}{}", line.text);
        }
        details(text, &line.within, level + 2 * more);
    }
}

/// The text of `ovn-trace --summary`: the pipelines and the actions.
#[must_use]
pub fn summary(lines: &[Line]) -> String {
    let mut text = String::new();
    summarise(&mut text, &pruned(lines, &[Kind::Modify, Kind::Table]), 0);
    text
}

/// The text of `ovn-trace --minimal`: what changes in the packet, and where it goes out.
#[must_use]
pub fn minimal(lines: &[Line]) -> String {
    let mut text = String::new();
    summarise(&mut text, &pruned(lines, &[Kind::Action, Kind::Pipeline, Kind::Table, Kind::Output]), 0);
    text
}

/// Without lines of these kinds: what follows from one takes its place.
fn pruned(lines: &[Line], without: &[Kind]) -> Vec<Line> {
    let mut kept = Vec::new();
    for line in lines {
        let within = pruned(&line.within, without);
        if without.contains(&line.kind) {
            kept.extend(within);
        } else {
            kept.push(Line { within, ..line.clone() });
        }
    }
    kept
}

fn summarise(text: &mut String, lines: &[Line], level: usize) {
    for line in lines.iter().filter(|line| line.kind != Kind::Action || !line.text.starts_with("next(")) {
        let indent = " ".repeat(level * 4);
        let _ = write!(text, "{indent}{}", line.text);
        if !line.within.is_empty() {
            text.push_str(" {\n");
            summarise(text, &line.within, level + 1);
            let _ = write!(text, "{indent}}}");
        }
        text.push_str(if line.kind == Kind::Action { "\n" } else { ";\n" });
    }
}
