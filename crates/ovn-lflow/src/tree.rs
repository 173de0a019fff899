//! The trace of a packet as a tree of lines, and its text in the formats of ovn-trace.

use std::fmt::Write as _;

/// The kind of a line in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A packet leaves a datapath, or its output is suppressed.
    Output,
    /// A field of the packet changes.
    Modify,
    /// An action of the flow.
    Action,
    /// An error, or something that the trace cannot determine.
    Error,
    /// The packet enters a pipeline.
    Pipeline,
    /// The flow of a stage that matches.
    Table,
    /// A new packet, or the same packet after connection tracking. The nested lines belong to that packet.
    Transformation,
}

/// One line of a trace with its nested lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The kind of the line.
    pub kind: LineKind,
    /// The text of the line.
    pub text: String,
    /// The nested lines.
    pub within: Vec<Line>,
    /// True if the line is one of several alternatives, which are indented.
    pub indent: bool,
}

impl Line {
    pub(crate) fn new(kind: LineKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), within: Vec::new(), indent: false }
    }

    const fn ends(&self) -> bool {
        matches!(self.kind, LineKind::Output | LineKind::Modify | LineKind::Action | LineKind::Error)
    }
}

/// Returns the text of `ovn-trace --detailed`: every flow and every action.
#[must_use]
pub fn detailed(lines: &[Line]) -> String {
    let mut text = String::new();
    details(&mut text, lines, 0);
    text
}

fn details(text: &mut String, lines: &[Line], level: usize) {
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.kind != LineKind::Modify) {
        // The lines nested in the last line are not indented, so that a long path does not drift to the right.
        let more = usize::from(at + 1 < lines.len() || line.indent || line.ends());
        let indent = " ".repeat((level + more) * 4);
        if matches!(line.kind, LineKind::Pipeline | LineKind::Transformation) {
            let _ = writeln!(text, "\n{indent}{}\n{indent}{}", line.text, "-".repeat(line.text.len()));
        } else {
            let _ = writeln!(text, "{indent}{}", line.text);
        }
        details(text, &line.within, level + 2 * more);
    }
}

/// Returns the text of `ovn-trace --summary`: the pipelines and the actions.
#[must_use]
pub fn summary(lines: &[Line]) -> String {
    let mut text = String::new();
    summarize(&mut text, &pruned(lines, &[LineKind::Modify, LineKind::Table]), 0);
    text
}

/// Returns the text of `ovn-trace --minimal`: the changes of the packet and its outputs.
#[must_use]
pub fn minimal(lines: &[Line]) -> String {
    let mut text = String::new();
    summarize(
        &mut text,
        &pruned(lines, &[LineKind::Action, LineKind::Pipeline, LineKind::Table, LineKind::Output]),
        0,
    );
    text
}

/// Removes lines of these kinds. The nested lines of a removed line take its place.
fn pruned(lines: &[Line], without: &[LineKind]) -> Vec<Line> {
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

fn summarize(text: &mut String, lines: &[Line], level: usize) {
    for line in lines.iter().filter(|line| line.kind != LineKind::Action || !line.text.starts_with("next(")) {
        let indent = " ".repeat(level * 4);
        let _ = write!(text, "{indent}{}", line.text);
        if !line.within.is_empty() {
            text.push_str(" {\n");
            summarize(text, &line.within, level + 1);
            let _ = write!(text, "{indent}}}");
        }
        text.push_str(if line.kind == LineKind::Action { "\n" } else { ";\n" });
    }
}
