//! A table as text, in columns.

use mcp_core::Table;
use serde_json::Value;

/// Between columns, as `kubectl` has it.
const GAP: usize = 3;

/// The first line, and one for each row.
pub(crate) struct Lines {
    /// The names of the columns.
    pub(crate) heading: String,
    /// The rows.
    pub(crate) rows: Vec<String>,
}

/// The text of a table. `wide` adds the columns that need width, `namespaces` the one that tells objects of different
/// namespaces apart.
pub(crate) fn lines(table: &Table, wide: bool, namespaces: bool) -> Lines {
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
    Lines { heading: rows.next().unwrap_or_default(), rows: rows.collect() }
}

/// Rows with each column as wide as its longest member; the last is not filled up.
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

/// A cell in one line: what comes after its first is cut, and said to be.
fn cell(value: &Value) -> String {
    let text = plain(value);
    match text.split_once(['\n', '\r', '\u{c}']) {
        Some((first, _)) => format!("{first}..."),
        None => text,
    }
}

/// A value without quotes; nothing for null.
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
    fn columns_are_aligned_and_wide_ones_optional() {
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
        let Lines { heading, rows } = lines(&table, false, true);
        assert_eq!(heading, "NAMESPACE   NAME        PORT(S)");
        assert_eq!(rows, ["a           x           80", "shop        long-name   two..."]);
        let Lines { heading, rows } = lines(&table, true, false);
        assert_eq!(heading, "NAME        NODE   PORT(S)");
        assert_eq!(rows, ["x           n      80", "long-name          two..."]);
    }
}
