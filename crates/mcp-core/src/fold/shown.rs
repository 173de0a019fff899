//! The rows behind what was folded: what a reader needs next, without another call.

use super::compare::{self, Cell};
use crate::Row;

/// So many different texts of one row are shown.
const TEXTS: usize = 4;

/// Bytes of one text, and its lines.
const TEXT: (usize, usize) = (1_500, 24);

/// A row of one node.
pub(super) fn on(node: &str, row: &Row) -> String {
    format!("on {node}: {}", text(row))
}

/// The row of a group whose nodes agree: once if they say the same, else as each of them says it.
pub(super) fn everywhere(shown: &str, group: &[Cell<'_>], names: &[&str]) -> String {
    let mut texts: Vec<(String, Vec<&Cell<'_>>)> = Vec::new();
    for cell in group {
        let text = text(cell.row);
        if let Some((_, cells)) = texts.iter_mut().find(|(other, _)| *other == text) {
            cells.push(cell);
        } else if texts.len() <= TEXTS {
            texts.push((text, vec![cell]));
        } else {
            // Enough to be sure that they are not all the same; the rest is only counted.
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

/// The row of a group whose nodes do not agree: of one node of each side. Nothing where the row is no more than its name.
pub(super) fn sides(shown: &str, group: &[Cell<'_>], sides: &[String], names: &[&str]) -> String {
    let mut of_sides: Vec<(&str, Vec<&Cell<'_>>)> = Vec::new();
    for (cell, side) in group.iter().zip(sides) {
        match of_sides.iter_mut().find(|(other, _)| other == side) {
            Some((_, cells)) => cells.push(cell),
            None => of_sides.push((side, vec![cell])),
        }
    }
    // What is odd is on few nodes.
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

fn holders(cells: &[&Cell<'_>], names: &[&str]) -> String {
    compare::some(cells.iter().map(|cell| compare::name(cell.who, names)))
}

/// What is shown of a row, under what it stands: its beginning, if it is long.
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
        more => format!("{shown}… ({more} bytes more: ask for this node alone)"),
    }
}

/// All lines but the first, a little to the right.
fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}
