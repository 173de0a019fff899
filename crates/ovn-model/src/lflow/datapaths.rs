//! Logical datapaths and the groups of datapaths that share flows.

use crate::UuidPrefix;
use ovsdb::{Row, Rows, Schema, Select, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// A logical switch or router in the southbound database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datapath {
    /// The UUID of the row of `Datapath_Binding`.
    pub uuid: Uuid,
    /// The name of the switch or router; empty if the row has none.
    pub name: String,
    /// Another name of the datapath (ovn-sb(5), `external_ids:name2`).
    pub alias: Option<String>,
    /// The UUID of the switch or router in the northbound database.
    pub northbound: Option<Uuid>,
    /// The number in tunnels and in the metadata field of OpenFlow.
    pub tunnel_key: Option<i64>,
}

/// All datapaths of a zone by name, and the groups that flows refer to.
#[derive(Clone, Debug, Default)]
pub struct Datapaths {
    all: Vec<Datapath>,
    groups: BTreeMap<Uuid, BTreeSet<Uuid>>,
}

impl Datapath {
    fn new(row: &Row) -> Self {
        let text = |key| row.map_get("external_ids", key);
        let keys = ["logical-switch", "logical-router"];
        let northbound = keys.iter().find_map(|key| text(key)?.parse().ok());
        Self {
            uuid: row.uuid,
            name: text("name").unwrap_or_default().to_owned(),
            alias: text("name2").map(str::to_owned),
            // OVN 26.03 and later have a separate column.
            northbound: row.refs("nb_uuid").next().or(northbound),
            tunnel_key: row.int("tunnel_key"),
        }
    }

    /// Returns the name as the real client prints it: `"join" (7e195e5f-9165-4f7e-bcfe-41849270c9fe)`.
    pub fn shown(&self) -> String {
        match &self.alias {
            Some(alias) if !self.name.is_empty() => {
                format!("\"{}\" aka \"{alias}\" ({})", self.name, self.uuid)
            }
            alias => format!("\"{}\" ({})", alias.as_ref().unwrap_or(&self.name), self.uuid),
        }
    }

    /// Returns the line that the real client prints before the datapath's flows, without the pipeline.
    pub fn heading(&self) -> String {
        format!("Datapath: {}", self.shown())
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.alias.as_deref() == Some(name)
    }
}

impl Datapaths {
    /// Returns the selects on the southbound database.
    pub fn selects(schema: &Schema) -> Vec<Select> {
        let wanted = [
            ("Datapath_Binding", &["external_ids", "nb_uuid", "tunnel_key"][..]),
            ("Logical_DP_Group", &["datapaths"]),
        ];
        let select = |(name, columns): (&str, &[&str])| {
            let table = schema.table(name)?;
            Some(Select::from(name).columns(columns.iter().filter(|c| table.column(c).is_some()).copied()))
        };
        wanted.into_iter().filter_map(select).collect()
    }

    /// Reads the datapaths from the rows that [`Self::selects`] selected.
    pub fn new(read: &[Rows]) -> Self {
        let rows =
            |table: &'static str| read.iter().filter(move |r| r.table.name == table).flat_map(|r| &r.rows);
        let mut all: Vec<Datapath> = rows("Datapath_Binding").map(Datapath::new).collect();
        all.sort_by(|a, b| (&a.name, a.uuid).cmp(&(&b.name, b.uuid)));
        let group = |row: &Row| (row.uuid, row.refs("datapaths").collect());
        Self { all, groups: rows("Logical_DP_Group").map(group).collect() }
    }

    /// Returns all datapaths by name.
    pub fn iter(&self) -> impl Iterator<Item = &Datapath> {
        self.all.iter()
    }

    /// Returns the datapaths with this name, with this UUID in either database, or with a UUID that begins with these
    /// digits.
    pub fn find(&self, wanted: &str) -> Vec<&Datapath> {
        let named: Vec<&Datapath> = self.all.iter().filter(|datapath| datapath.is_called(wanted)).collect();
        let Ok(prefix) = wanted.parse::<UuidPrefix>() else { return named };
        let is_of = |datapath: &&Datapath| {
            prefix.is_of(datapath.uuid) || datapath.northbound.is_some_and(|n| prefix.is_of(n))
        };
        if named.is_empty() { self.all.iter().filter(is_of).collect() } else { named }
    }

    /// Returns the datapath with this UUID.
    pub fn get(&self, uuid: Uuid) -> Option<&Datapath> {
        self.all.iter().find(|datapath| datapath.uuid == uuid)
    }

    /// Returns the groups that a datapath belongs to.
    pub fn groups_of(&self, datapath: Uuid) -> impl Iterator<Item = Uuid> {
        self.groups.iter().filter(move |(_, members)| members.contains(&datapath)).map(|(group, _)| *group)
    }

    /// Returns the members of a group by name.
    pub fn members(&self, group: Uuid) -> impl Iterator<Item = &Datapath> {
        let members = self.groups.get(&group);
        self.all
            .iter()
            .filter(move |datapath| members.is_some_and(|members| members.contains(&datapath.uuid)))
    }

    /// Returns the heading above the flows of a group. The real client does not print groups.
    pub fn group_heading(&self, group: Uuid) -> String {
        const SHOWN: usize = 6;
        let names: Vec<String> =
            self.members(group).map(|datapath| format!("\"{}\"", datapath.name)).collect();
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = names.get(..SHOWN).unwrap_or(&names).join(", ");
        format!("Each of {} datapaths: {shown}{more} (group {group})", names.len())
    }

    /// Returns whether a group has this member.
    pub fn has_member(&self, group: Uuid, datapath: Uuid) -> bool {
        self.groups.get(&group).is_some_and(|members| members.contains(&datapath))
    }
}
