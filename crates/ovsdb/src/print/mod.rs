//! Prints rows as `ovn-nbctl`, `ovn-sbctl` and `ovs-vsctl` do.

mod show;
mod value;

use crate::{ColumnType, Row, Rows};

pub use show::{OVN_SB_SHOW, OVS_SHOW, ShowTable, WeakRef, show, show_row, show_selects};
pub use value::{atom, value};

/// Prints rows as the clients' `list` and `find` do: each column on a line `name : value`, with an empty line between
/// rows.
///
/// Without `columns`, it prints the requested columns of the rows, or `_uuid` and all columns sorted by name. Columns
/// that were not read are left out.
#[must_use]
pub fn list(rows: &Rows, columns: Option<&[&str]>) -> String {
    let columns = column_names(rows, columns);
    let mut out = String::new();
    for row in rows {
        if !out.is_empty() {
            out.push('\n');
        }
        push_record(&mut out, row, &columns);
    }
    out
}

/// Prints one row as [`list`] does.
#[must_use]
pub fn record(row: &Row, columns: &[&str]) -> String {
    let mut out = String::new();
    push_record(&mut out, row, columns);
    out
}

/// Prints one value as [`list`] does. Returns `None` if the column was not read.
#[must_use]
pub fn cell(row: &Row, column: &str) -> Option<String> {
    const REFERENCE: &ColumnType =
        &ColumnType { key: crate::BaseType::plain(crate::AtomType::Uuid), value: None, min: 1, max: 1 };
    let ty = row.table.column(column).map_or(REFERENCE, |column| &column.ty);
    row.get(column).map(|datum| value(datum, ty))
}

/// Returns the columns that [`list`] prints for these rows and this selection of columns.
#[must_use]
pub fn column_names<'a>(rows: &'a Rows, columns: Option<&[&'a str]>) -> Vec<&'a str> {
    match (columns, &rows.columns) {
        (Some(columns), _) => columns.to_vec(),
        (None, Some(columns)) => columns.iter().map(String::as_str).collect(),
        (None, None) => std::iter::once("_uuid")
            .chain(rows.table.columns.iter().map(|column| column.name.as_str()))
            .collect(),
    }
}

fn push_record(out: &mut String, row: &Row, columns: &[&str]) {
    for column in columns {
        if let Some(cell) = cell(row, column) {
            out.push_str(&format!("{column:<20}: {cell}\n"));
        }
    }
}
