//! Shows the rows behind a comparison, so that a reader needs no further call.

use super::compare::{self, NodeRow};
use crate::Row;

/// The number of different texts that are shown of one row.
const TEXTS: usize = 4;

/// The maximum number of bytes and of lines of one text.
const TEXT: (usize, usize) = (1_500, 24);

/// Shows a row of one node.
pub(super) fn on(node: &str, row: &Row) -> String {
    format!("on {node}: {}", text(row))
}

/// Shows a row that is equal on all nodes: once if its texts are the same, else the text of each node.
pub(super) fn everywhere(shown: &str, group: &[NodeRow<'_>], names: &[&str]) -> String {
    let mut texts: Vec<(String, Vec<&NodeRow<'_>>)> = Vec::new();
    for cell in group {
        let text = text(cell.row);
        if let Some((_, cells)) = texts.iter_mut().find(|(other, _)| *other == text) {
            cells.push(cell);
        } else if texts.len() <= TEXTS {
            texts.push((text, vec![cell]));
        } else {
            // These texts are enough to know that not all are the same; the rest is only counted.
            break;
        }
    }
    if let [(text, cells)] = texts.as_slice()
        && cells.len() == group.len()
    {
        return text.clone();
    }
    let mut lines = vec![shown.to_owned()];
    let told = texts.iter().take(TEXTS);
    lines.extend(told.clone().map(|(text, cells)| format!("on {}: {text}", holders(cells, names))));
    let left = group.len() - told.map(|(_, cells)| cells.len()).sum::<usize>();
    if left > 0 {
        lines.push(format!("and {left} more"));
    }
    indented(&lines.join("\n"))
}

/// Shows a row that differs: the text of one node of each variant. A row whose text is only its name is not shown.
pub(super) fn sides(shown: &str, group: &[NodeRow<'_>], sides: &[String], names: &[&str]) -> String {
    let mut of_sides: Vec<(&str, Vec<&NodeRow<'_>>)> = Vec::new();
    for (cell, side) in group.iter().zip(sides) {
        match of_sides.iter_mut().find(|(other, _)| other == side) {
            Some((_, cells)) => cells.push(cell),
            None => of_sides.push((side, vec![cell])),
        }
    }
    // Show the variant with the fewest nodes first, because a fault is usually on few nodes.
    of_sides.sort_by_key(|(_, cells)| cells.len());
    let mut lines = Vec::new();
    for (_, cells) in of_sides.iter().take(TEXTS) {
        let Some(first) = cells.first() else { continue };
        let text = text(first.row);
        if text != shown {
            lines.push(format!("on {}: {text}", compare::name(first.who, names)));
        }
    }
    lines.iter().map(|line| format!("\n  {}", indented(line).replace('\n', "\n  "))).collect()
}

fn holders(cells: &[&NodeRow<'_>], names: &[&str]) -> String {
    compare::some(cells.iter().map(|cell| compare::name(cell.who, names)))
}

/// Returns the text of a row, and only its beginning if it is long.
fn text(row: &Row) -> String {
    let text = row.text.trim_end();
    let (bytes, lines) = TEXT;
    let by_lines = text.match_indices('\n').nth(lines).map_or(text.len(), |(at, _)| at);
    let end = text.floor_char_boundary(bytes.min(by_lines));
    let shown = text.get(..end).unwrap_or_default();
    let shown = match row.text.contains('\n') {
        true => shown.to_owned(),
        false => shown.trim_start().to_owned(),
    };
    match text.len() - end {
        0 => shown,
        more => format!("{shown}… ({more} more bytes: pass node_name with this node only)"),
    }
}

/// Indents all lines except the first.
fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}
