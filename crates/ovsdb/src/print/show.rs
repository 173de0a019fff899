//! Prints the overview of the clients' `show`, from a description of tables.

use std::fmt::Write as _;

use super::value;
use crate::{AtomType, ColumnSchema, Row, Rows, Select, Uuid};

/// The description of how `show` prints the rows of one table.
#[derive(Clone, Copy, Debug)]
pub struct ShowTable {
    /// The table.
    pub table: &'static str,
    /// The column with the name of a row. `None` prints the UUID without the table.
    pub name: Option<&'static str>,
    /// The columns to print below the row. References to other described tables are printed as rows, and other columns
    /// as values, unless they have their default value.
    pub columns: &'static [&'static str],
    /// The rows of another table that refer to this row. Their names are printed after the columns.
    pub weak_ref: Option<WeakRef>,
}

/// The rows of a table that are printed below the row that they refer to.
#[derive(Clone, Copy, Debug)]
pub struct WeakRef {
    /// The table of these rows.
    pub table: &'static str,
    /// The column with their name.
    pub name: &'static str,
    /// The column with the reference.
    pub column: &'static str,
}

/// The description of `ovn-sbctl show`.
pub const OVN_SB_SHOW: &[ShowTable] = &[
    ShowTable {
        table: "Chassis",
        name: Some("name"),
        columns: &["hostname", "encaps"],
        weak_ref: Some(WeakRef { table: "Port_Binding", name: "logical_port", column: "chassis" }),
    },
    ShowTable { table: "Encap", name: Some("type"), columns: &["ip", "options"], weak_ref: None },
];

/// The description of `ovs-vsctl show`.
pub const OVS_SHOW: &[ShowTable] = &[
    ShowTable {
        table: "Open_vSwitch",
        name: None,
        columns: &["manager_options", "bridges", "ovs_version"],
        weak_ref: None,
    },
    ShowTable {
        table: "Bridge",
        name: Some("name"),
        columns: &["controller", "fail_mode", "datapath_type", "ports"],
        weak_ref: None,
    },
    ShowTable {
        table: "Port",
        name: Some("name"),
        columns: &["tag", "trunks", "interfaces"],
        weak_ref: None,
    },
    ShowTable {
        table: "Interface",
        name: Some("name"),
        columns: &["type", "options", "error"],
        weak_ref: None,
    },
    ShowTable { table: "Controller", name: Some("target"), columns: &["is_connected"], weak_ref: None },
    ShowTable { table: "Manager", name: Some("target"), columns: &["is_connected"], weak_ref: None },
];

/// Returns the selects that read the rows for [`show`]: one for each table, with only the columns that it needs.
#[must_use]
pub fn show_selects(tables: &[ShowTable]) -> Vec<Select> {
    let shown = tables.iter().map(|table| {
        let columns = table.name.iter().chain(table.columns).copied();
        Select::from(table.table).columns(columns)
    });
    let pointing = tables
        .iter()
        .filter_map(|table| table.weak_ref)
        .map(|weak| Select::from(weak.table).columns([weak.name, weak.column]));
    shown.chain(pointing).collect()
}

/// Prints the rows of the first described table, and below each row the rows that it refers to.
///
/// `rows` are the rows of the tables, in any order of tables. The rows of a table are printed in their given order.
#[must_use]
pub fn show(tables: &[ShowTable], rows: &[Rows]) -> String {
    let mut printer = ShowPrinter { tables, rows, out: String::new(), open: Vec::new() };
    if let Some(first) = tables.first() {
        for row in printer.rows_of(first.table) {
            printer.row(row, 0);
        }
    }
    printer.out
}

/// Prints one row and the rows that it refers to, as [`show`] does.
#[must_use]
pub fn show_row(tables: &[ShowTable], rows: &[Rows], row: &Row) -> String {
    let mut printer = ShowPrinter { tables, rows, out: String::new(), open: Vec::new() };
    printer.row(row, 0);
    printer.out
}

struct ShowPrinter<'a> {
    tables: &'a [ShowTable],
    rows: &'a [Rows],
    out: String,
    /// The tables of the rows around the current one. A row within a row of the same table is printed only by name.
    open: Vec<&'a str>,
}

impl<'a> ShowPrinter<'a> {
    fn rows_of(&self, table: &str) -> &'a [Row] {
        self.rows.iter().find(|rows| rows.table.name == table).map_or(&[], |rows| rows.rows.as_slice())
    }

    fn find(&self, table: &str, uuid: Uuid) -> Option<&'a Row> {
        self.rows_of(table).iter().find(|row| row.uuid == uuid)
    }

    /// Returns the description of the table that a type refers to.
    fn target(&self, ty: Option<&crate::BaseType>) -> Option<&'a ShowTable> {
        let ty = ty.filter(|ty| ty.kind == AtomType::Uuid)?;
        self.tables.iter().find(|table| Some(table.table) == ty.ref_table.as_deref())
    }

    fn line(&mut self, level: usize, text: &str) {
        let _ = writeln!(self.out, "{:indent$}{text}", "", indent = level * 4);
    }

    fn row(&mut self, row: &'a Row, level: usize) {
        let table = self.tables.iter().find(|table| table.table == row.table.name);
        match table.and_then(|table| table.name) {
            Some(name) => {
                let name = super::cell(row, name).unwrap_or_default();
                self.line(level, &format!("{} {name}", row.table.name));
            }
            None => self.line(level, &row.uuid.to_string()),
        }
        let Some(table) = table.filter(|table| !self.open.contains(&table.table)) else { return };
        self.open.push(table.table);
        for column in table.columns.iter().filter_map(|name| row.table.column(name)) {
            self.column(row, column, level + 1);
        }
        if let Some(weak) = table.weak_ref {
            for other in self.rows_of(weak.table) {
                // Such a column refers to one row, so the first reference is enough.
                if other.refs(weak.column).next() == Some(row.uuid) {
                    let name = super::cell(other, weak.name).unwrap_or_default();
                    self.line(level + 1, &format!("{} {name}", weak.table));
                }
            }
        }
        self.open.pop();
    }

    fn column(&mut self, row: &'a Row, column: &'a ColumnSchema, level: usize) {
        let Some(datum) = row.get(&column.name) else { return };
        if let Some(target) = self.target(Some(&column.ty.key)) {
            for uuid in row.refs(&column.name) {
                if let Some(other) = self.find(target.table, uuid) {
                    self.row(other, level);
                }
            }
        } else if let Some((target, name)) =
            self.target(column.ty.value.as_ref()).and_then(|target| Some((target, target.name?)))
        {
            self.line(level, &format!("{}:", column.name));
            for (key, uuid) in datum.pairs() {
                let other = uuid.as_uuid().and_then(|uuid| self.find(target.table, uuid));
                let key = super::atom(key);
                match other.and_then(|other| super::cell(other, name)) {
                    Some(name) => self.line(level + 1, &format!("{key}={name}")),
                    None => self.line(level + 1, &key),
                }
            }
        } else if *datum != column.ty.default_datum() {
            self.line(level, &format!("{}: {}", column.name, value(datum, &column.ty)));
        }
    }
}
