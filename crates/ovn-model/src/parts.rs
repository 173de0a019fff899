//! The rows that belong to other rows: the routes of a router, the ACLs of a port group, the port bindings of a
//! datapath.

use crate::{label, label::unmarked, label_columns, name_columns};
use ovsdb::{ColumnSchema, Condition, Row, Rows, Schema, Select, TableSchema, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the columns of a table that refer to rows of another table.
fn referring<'a>(table: &'a TableSchema, to: &str) -> impl Iterator<Item = &'a str> {
    let refers = move |column: &&ColumnSchema| {
        let types = std::iter::once(&column.ty.key).chain(&column.ty.value);
        types.filter_map(|ty| ty.ref_table.as_deref()).any(|table| table == to)
    };
    table.columns.iter().filter(refers).map(|column| column.name.as_str()).collect::<Vec<_>>().into_iter()
}

/// Returns the selects that give the owners of a table's rows.
pub fn owners_selects(schema: &Schema, of: &str) -> Vec<Select> {
    let select = |table: &TableSchema| {
        // A flooding group holds every port of its datapath, which says nothing about a single port.
        let tells = !matches!(table.name.as_str(), "Multicast_Group" | "IGMP_Group");
        let refs: BTreeSet<&str> = referring(table, of).filter(|_| tells).collect();
        let columns = refs.iter().copied().chain(label_columns(table));
        (!refs.is_empty()).then(|| Select::from(table.name.as_str()).columns(columns))
    };
    schema.tables.iter().filter_map(|table| select(table)).collect()
}

/// Returns the owners of rows by UUID, such as `Logical_Router ovn_cluster_router`, from the rows that
/// [`owners_selects`] selected.
pub fn owners(of: &str, parents: &[Rows]) -> BTreeMap<Uuid, Vec<String>> {
    let mut owners: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for rows in parents {
        let columns: Vec<&str> = referring(&rows.table, of).collect();
        for row in &rows.rows {
            let name = format!("{} {}", rows.table.name, label(row));
            for child in columns.iter().flat_map(|column| row.refs(column)) {
                owners.entry(child).or_default().push(name.clone());
            }
        }
    }
    owners.values_mut().for_each(|names| {
        names.sort();
        names.dedup();
    });
    owners
}

/// The rows of a table that belong to an object, and the way to find them.
#[derive(Debug, Default)]
pub struct PartsOf {
    /// The objects with the given name: `Logical_Router ovn_cluster_router`.
    pub found: Vec<String>,
    /// The rows that the object refers to.
    pub rows: BTreeSet<Uuid>,
    /// The rows that refer to the object: the column and the object's UUID.
    pub referring: Vec<(String, Uuid)>,
}

/// The objects to which rows belong.
#[derive(Clone, Debug)]
pub enum Parents<'a> {
    /// The objects with this name in one of their [`name_columns`].
    Named(&'a str),
    /// The objects with these UUIDs.
    Rows(BTreeSet<Uuid>),
}

impl Parents<'_> {
    fn conditions(&self, table: &TableSchema) -> Vec<Condition> {
        match self {
            Self::Named(name) => name_conditions(table, name),
            Self::Rows(uuids) => uuids.iter().map(|uuid| Condition::is("_uuid", *uuid)).collect(),
        }
    }

    fn contains(&self, row: &Row) -> bool {
        match self {
            Self::Named(name) => {
                let name = unmarked(name);
                name_columns(&row.table).iter().any(|column| name_of(row, column) == Some(name))
            }
            Self::Rows(uuids) => uuids.contains(&row.uuid),
        }
    }
}

/// Returns the selects that give the rows that belong to objects.
///
/// A router refers to its routes, a port binding refers to its datapath, and a switch has its own load balancers and
/// those of its groups.
pub fn parts_selects(schema: &Schema, table: &str, of: &Parents<'_>) -> Vec<Select> {
    let Some(child) = schema.table(table) else { return Vec::new() };
    let mut selects = Vec::new();
    for parent in schema.tables.iter().filter(|parent| parent.name != table) {
        let mut columns: BTreeSet<&str> = referring(parent, table).collect();
        if table == "Load_Balancer" {
            columns.extend(referring(parent, "Load_Balancer_Group"));
        }
        if columns.is_empty() && referring(child, &parent.name).next().is_none() {
            continue;
        }
        columns.extend(label_columns(parent));
        columns.extend(name_columns(parent).into_iter().map(|c| c.split_once(':').map_or(c, |(c, _)| c)));
        for condition in of.conditions(parent) {
            selects.push(Select::from(parent.name.as_str()).columns(columns.clone()).filter(condition));
        }
    }
    if table == "Load_Balancer" && schema.table("Load_Balancer_Group").is_some() {
        selects.push(Select::from("Load_Balancer_Group").columns(["name", "load_balancer"]));
    }
    selects
}

/// Returns the rows that belong to objects, from the rows that [`parts_selects`] selected.
pub fn parts(schema: &Schema, table: &str, of: &Parents<'_>, read: &[Rows]) -> PartsOf {
    let mut parts = PartsOf::default();
    let Some(child) = schema.table(table) else { return parts };
    let all_groups =
        || read.iter().filter(|rows| rows.table.name == "Load_Balancer_Group").flat_map(|r| &r.rows);
    for row in read.iter().flat_map(|rows| &rows.rows).filter(|row| of.contains(row)) {
        let name = format!("{} {}", row.table.name, label(row));
        if parts.found.contains(&name) {
            continue;
        }
        parts.found.push(name);
        parts.rows.extend(referring(&row.table, table).flat_map(|column| row.refs(column)));
        if table == "Load_Balancer" {
            let groups: BTreeSet<Uuid> =
                referring(&row.table, "Load_Balancer_Group").flat_map(|column| row.refs(column)).collect();
            let members = all_groups().filter(|group| groups.contains(&group.uuid));
            parts.rows.extend(members.flat_map(|group| group.refs("load_balancer")));
        }
        let to_it = referring(child, &row.table.name).map(|column| (column.to_owned(), row.uuid));
        parts.referring.extend(to_it);
    }
    parts
}

impl PartsOf {
    /// Returns the selects for these rows, each with the conditions of the given select.
    pub fn selects(&self, select: &Select) -> Vec<Select> {
        /// The largest number of rows to select by name. For more rows, reading the table is cheaper.
        const NAMED: usize = 64;
        let mut select = select.clone();
        if let Some(columns) = &mut select.columns {
            // [`Self::contains`] reads these columns.
            columns.extend(self.referring.iter().map(|(column, _)| column.clone()));
        }
        let mut selects: Vec<Select> = match self.rows.len() {
            0..=NAMED => {
                self.rows.iter().map(|uuid| select.clone().filter(Condition::is("_uuid", *uuid))).collect()
            }
            _ => vec![select.clone()],
        };
        let refers =
            |(column, uuid): &(String, Uuid)| select.clone().filter(Condition::includes(column, *uuid));
        selects.extend(self.referring.iter().map(refers));
        selects
    }

    /// Returns whether the row belongs to the object. The selects of [`Self::selects`] may give more rows.
    pub fn contains(&self, row: &Row) -> bool {
        let refers = |(column, uuid): &(String, Uuid)| row.refs(column).any(|it| it == *uuid);
        self.rows.contains(&row.uuid) || self.referring.iter().any(refers)
    }
}

/// Returns the conditions under which a row has this name, one for each kind of name. A sign before the name, as in a
/// match (`$a93…`, `@a74…`), is ignored.
pub fn name_conditions(table: &TableSchema, name: &str) -> Vec<Condition> {
    let name = unmarked(name);
    let condition = |column: &str| match column.split_once(':') {
        Some((column, key)) => Condition::map_has(column, key, name),
        None => Condition::is(column, name),
    };
    name_columns(table).into_iter().map(condition).collect()
}

/// Returns the name of a row in one of its [`name_columns`].
fn name_of<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    match column.split_once(':') {
        Some((column, key)) => row.map_get(column, key),
        None => row.text(column),
    }
}
