//! Logical flows, which ovn-northd makes from the northbound database.
//!
//! A flow belongs to one datapath, or to each datapath of a group. ovn-sbctl(8) prints the flows of a group once for
//! each of its datapaths, which takes a hundred times the size of the database if groups are large. This module
//! stores a flow once and looks up the datapaths in its group.

mod count;
mod datapaths;
mod filter;
mod local;

pub use count::{Count, counts};
pub use datapaths::{Datapath, Datapaths};
pub use filter::{Filter, Stage};
pub use local::{
    LocalPods, derived, groups_select, groups_with_ports, has_own_endpoints, is_ecmp_member, port_group,
};

use ovsdb::{Row, Rows, Uuid};
use std::{
    cmp::{Ordering, Reverse},
    fmt,
};

/// One of the two pipelines of a datapath (ovn-architecture(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pipeline {
    /// The pipeline where a packet enters.
    Ingress,
    /// The pipeline where a packet leaves.
    Egress,
}

/// A row of `Logical_Flow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The UUID of the row.
    pub uuid: Uuid,
    /// The datapath that the flow belongs to.
    pub datapath: Option<Uuid>,
    /// The group of datapaths that the flow belongs to.
    pub group: Option<Uuid>,
    /// The pipeline of the flow.
    pub pipeline: Pipeline,
    /// The number of the stage in the pipeline.
    pub table: i64,
    /// The priority. The matching flow with the highest priority is used.
    pub priority: i64,
    /// The match expression.
    pub matches: String,
    /// The text of the actions.
    pub actions: String,
    /// The name of the stage, as the ovn-northd that made the flow calls it.
    pub stage: Option<String>,
    /// The first digits of the UUID of the northbound row behind the flow.
    pub hint: Option<String>,
    /// The line of ovn-northd's source that made the flow.
    pub source: Option<String>,
}

impl Pipeline {
    /// Returns the name as the databases write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Flow {
    /// The columns that a flow is read from.
    pub const COLUMNS: [&'static str; 8] = [
        "logical_datapath",
        "logical_dp_group",
        "pipeline",
        "table_id",
        "priority",
        "match",
        "actions",
        "external_ids",
    ];

    /// Reads a row of `Logical_Flow`. Returns `None` if a required column is missing or invalid.
    pub fn new(row: &Row) -> Option<Self> {
        let owned = |key| row.map_get("external_ids", key).map(str::to_owned);
        Some(Self {
            uuid: row.uuid,
            datapath: row.refs("logical_datapath").next(),
            group: row.refs("logical_dp_group").next(),
            pipeline: match row.text("pipeline")? {
                "ingress" => Pipeline::Ingress,
                "egress" => Pipeline::Egress,
                _ => return None,
            },
            table: row.int("table_id")?,
            priority: row.int("priority")?,
            matches: row.text("match")?.to_owned(),
            actions: row.text("actions")?.to_owned(),
            stage: owned("stage-name"),
            hint: owned("stage-hint"),
            source: owned("source"),
        })
    }

    /// Returns the flows in the order of [`Self::order`], each flow once, and the problems of the other rows.
    pub fn read(read: &[Rows]) -> (Vec<Self>, Vec<String>) {
        let (mut flows, mut odd) = (Vec::new(), Vec::new());
        for row in read.iter().filter(|rows| rows.table.name == "Logical_Flow").flat_map(|rows| &rows.rows) {
            match Self::new(row) {
                Some(flow) => flows.push(flow),
                None => odd.push(format!(
                    "row {} of Logical_Flow is not a valid flow: a column is missing or invalid",
                    row.uuid
                )),
            }
        }
        flows.sort_by(Self::order);
        // Selects of several groups may have returned the same flow.
        flows.dedup_by_key(|flow| flow.uuid);
        (flows, odd)
    }

    /// Compares flows in the order of the real client within a datapath, which is the order in which flows are tried.
    pub fn order(&self, other: &Self) -> Ordering {
        let place = (self.pipeline, self.table, Reverse(self.priority));
        let place = place.cmp(&(other.pipeline, other.table, Reverse(other.priority)));
        let text =
            || (&self.matches, &self.actions, self.uuid).cmp(&(&other.matches, &other.actions, other.uuid));
        place.then_with(text)
    }

    /// Returns whether a datapath has this flow.
    pub fn is_of(&self, datapath: Uuid, datapaths: &Datapaths) -> bool {
        self.datapath == Some(datapath)
            || self.group.is_some_and(|group| datapaths.has_member(group, datapath))
    }

    /// Returns whether the flow is in this stage.
    pub fn is_in(&self, stage: &Stage) -> bool {
        match stage {
            Stage::Table(table) => self.table == *table,
            Stage::Name(name) => self.stage.as_ref().is_some_and(|stage| stage.contains(name.as_str())),
        }
    }

    /// Returns the line that the real client prints, without its indentation. The client pads the priority to five
    /// characters.
    pub fn line(&self) -> String {
        let stage = self.stage.as_deref().unwrap_or_default();
        format!(
            "table={:<2}({stage:<19}), priority={:<5}, match=({}), action=({})",
            self.table, self.priority, self.matches, self.actions
        )
    }

    /// Returns the line with `--uuid`: it begins with the first digits of the UUID, which are the cookie of the
    /// OpenFlow flows.
    pub fn line_with_uuid(&self) -> String {
        format!("uuid=0x{:08x}, {}", self.uuid.first32(), self.line())
    }
}
