//! The path from OpenFlow back to its origin: cookie, southbound row, northbound row, Kubernetes object.
//!
//! 1. [`mentions`]: the cookies in a text, which comes from `ofproto/trace`, `dump-flows` or a person
//! 2. [`Index`]: the rows of a database by the beginning of their UUIDs; several rows may share a cookie
//! 3. [`counterpart`]: the northbound row of a southbound row that is not a logical flow
//! 4. [`summary`] and [`kubernetes_owner`]: the content of the northbound row, and the object that it was made for

mod mention;
mod owner;
mod summary;
mod vip;

pub use mention::{Mention, mentions};
pub use owner::kubernetes_owner;
pub use summary::summary;
pub use vip::VirtualIp;

use crate::UuidPrefix;
use ovsdb::{Condition, Row, Rows, Schema, Select, Uuid};
use std::collections::BTreeMap;

/// The table of each row of a database, by UUID.
#[derive(Clone, Debug, Default)]
pub struct Index(BTreeMap<Uuid, String>);

impl Index {
    /// Returns the selects for the UUIDs of all tables.
    pub fn selects(schema: &Schema) -> Vec<Select> {
        let none: [&str; 0] = [];
        schema.tables.iter().map(|table| Select::from(table.name.as_str()).columns(none)).collect()
    }

    /// Builds the index from the rows that [`Self::selects`] selected.
    pub fn new(read: &[Rows]) -> Self {
        let of_table =
            |rows: &Rows| rows.rows.iter().map(|row| (row.uuid, row.table.name.clone())).collect::<Vec<_>>();
        Self(read.iter().flat_map(of_table).collect())
    }

    /// Returns all rows whose UUID begins with the prefix, with their tables.
    pub fn find(&self, prefix: &UuidPrefix) -> Vec<(Uuid, &str)> {
        let from = self.0.range(prefix.lowest()..);
        from.take_while(|(uuid, _)| prefix.is_of(**uuid))
            .map(|(uuid, table)| (*uuid, table.as_str()))
            .collect()
    }

    /// Returns the selects for these rows with all columns.
    pub fn rows_selects<'a>(found: impl IntoIterator<Item = &'a (Uuid, &'a str)>) -> Vec<Select> {
        /// The largest number of rows to select by name. For more rows, reading the table is cheaper.
        const NAMED: usize = 64;
        let mut tables: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
        for (uuid, table) in found {
            tables.entry(table).or_default().push(*uuid);
        }
        let of_table = |(table, mut uuids): (&str, Vec<Uuid>)| {
            uuids.sort();
            uuids.dedup();
            match uuids.len() {
                0..=NAMED => uuids.into_iter().map(|uuid| Select::by_uuid(table, uuid)).collect(),
                _ => vec![Select::from(table)],
            }
        };
        tables.into_iter().flat_map(of_table).collect()
    }
}

/// Returns the tables and the name of the northbound rows behind a southbound row that is not a logical flow.
///
/// Physical flows have the cookies of such rows (ovn-architecture(7), "Architectural Physical Life Cycle of a
/// Packet").
pub fn counterpart(row: &Row) -> Option<(&'static [&'static str], &str)> {
    const PORTS: &[&str] = &["Logical_Switch_Port", "Logical_Router_Port"];
    match row.table.name.as_str() {
        // A router port that is bound to a chassis has a second binding, named after it (ovn-architecture(7)).
        "Port_Binding" => {
            row.text("logical_port").map(|name| (PORTS, name.strip_prefix("cr-").unwrap_or(name)))
        }
        "MAC_Binding" | "Static_MAC_Binding" => row.text("logical_port").map(|name| (PORTS, name)),
        "Load_Balancer" => Some((&["Load_Balancer"], row.text("name")?)),
        "Datapath_Binding" => {
            Some((&["Logical_Switch", "Logical_Router"], row.map_get("external_ids", "name")?))
        }
        _ => None,
    }
}

/// Returns the selects for the rows of a [`counterpart`].
pub fn counterpart_selects<'a>(tables: &'a [&'a str], name: &'a str) -> impl Iterator<Item = Select> + 'a {
    tables.iter().map(move |table| Select::from(*table).filter(Condition::is("name", name)))
}
