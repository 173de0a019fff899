//! Formats a table as text in aligned columns.

use mcp_core::Table;
use serde_json::Value;

/// The number of spaces between columns, as in `kubectl`.
const GAP: usize = 3;

/// The lines of a table: the heading, and one line for each row.
pub(crate) struct TableLines {
    /// The names of the columns.
    pub(crate) heading: String,
    /// The rows.
    pub(crate) rows: Vec<String>,
}

/// Formats a table. `wide` adds the wide columns, and `namespaces` adds the column with the namespace.
pub(crate) fn lines(table: &Table, wide: bool, namespaces: bool) -> TableLines {
    let shown: Vec<usize> = (0..)
        .zip(&table.columns)
        .filter(|(_, column)| wide || column.priority == 0)
        .map(|(at, _)| at)
        .collect();
    let names = shown.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.name.to_uppercase());
    let namespace = |name: &str| namespaces.then(|| name.to_owned()).into_iter();
    let mut all: Vec<Vec<String>> = vec![namespace("NAMESPACE").chain(names).collect()];
    for row in &table.rows {
        let cells = shown.iter().map(|at| row.cells.get(*at).map_or_else(String::new, cell));
        all.push(namespace(&row.namespace).chain(cells).collect());
    }
    let mut rows = aligned(&all).into_iter();
    TableLines { heading: rows.next().unwrap_or_default(), rows: rows.collect() }
}

/// Aligns columns to the width of their longest cell. The last column is not padded.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &Vec<String>| {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text += cell;
            let fill = (width + GAP).saturating_sub(cell.chars().count());
            text.extend(std::iter::repeat_n(' ', fill));
        }
        text.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Formats a cell on one line. Further lines are replaced with `...`.
fn cell(value: &Value) -> String {
    let text = plain(value);
    match text.split_once(['\n', '\r', '\u{c}']) {
        Some((first, _)) => format!("{first}..."),
        None => text,
    }
}

/// Formats a value without quotes. Null is an empty text.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_core::{Column, TableRow};
    use serde_json::json;

    #[test]
    fn columns_are_aligned_and_wide_columns_are_optional() {
        let column = |name: &str, priority| Column { name: name.into(), priority };
        let row = |namespace: &str, cells: Value| TableRow {
            namespace: namespace.into(),
            cells: cells.as_array().unwrap().clone(),
        };
        let table = Table {
            columns: vec![column("Name", 0), column("Node", 1), column("Port(s)", 0)],
            rows: vec![
                row("a", json!(["x", "n", 80])),
                row("shop", json!(["long-name", null, "two\nlines"])),
            ],
        };
        let TableLines { heading, rows } = lines(&table, false, true);
        assert_eq!(heading, "NAMESPACE   NAME        PORT(S)");
        assert_eq!(rows, ["a           x           80", "shop        long-name   two..."]);
        let TableLines { heading, rows } = lines(&table, true, false);
        assert_eq!(heading, "NAME        NODE   PORT(S)");
        assert_eq!(rows, ["x           n      80", "long-name          two..."]);
    }
}
