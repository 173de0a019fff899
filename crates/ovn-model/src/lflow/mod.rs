//! Logical flows: what ovn-northd made of the northbound database.
//!
//! A flow belongs to one datapath or to a group of them, and then to each. ovn-sbctl(8) prints the flows of a group
//! once for each of its datapaths, which is a hundred times the database where groups are large; here a flow is
//! stored once, and whether a datapath has it is asked of its group.

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

/// One of the two halves of what a packet goes through in a datapath (ovn-architecture(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pipeline {
    /// From where it comes in.
    Ingress,
    /// To where it goes out.
    Egress,
}

/// A logical flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its row.
    pub uuid: Uuid,
    /// The datapath that it belongs to.
    pub datapath: Option<Uuid>,
    /// The group of datapaths to each of which it belongs.
    pub group: Option<Uuid>,
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The number of its stage in the pipeline.
    pub table: i64,
    /// The flow with the highest priority of those that match is taken.
    pub priority: i64,
    /// The match, an expression.
    pub matches: String,
    /// The actions.
    pub actions: String,
    /// The name of its stage, as the ovn-northd that made it calls it.
    pub stage: Option<String>,
    /// The first digits of the UUID of the northbound row behind it.
    pub hint: Option<String>,
    /// The line of ovn-northd's source that made it.
    pub source: Option<String>,
}

impl Pipeline {
    /// As the databases write it.
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
    /// The columns that a flow is made of.
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

    /// A row of `Logical_Flow`; nothing if it lacks what every flow has.
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

    /// The flows that were read, each once, in the order of [`Self::order`], and what is wrong with the other rows.
    pub fn read(read: &[Rows]) -> (Vec<Self>, Vec<String>) {
        let (mut flows, mut odd) = (Vec::new(), Vec::new());
        for row in read.iter().filter(|rows| rows.table.name == "Logical_Flow").flat_map(|rows| &rows.rows) {
            match Self::new(row) {
                Some(flow) => flows.push(flow),
                None => odd.push(format!(
                    "row {} of Logical_Flow is no flow: a column is missing or strange",
                    row.uuid
                )),
            }
        }
        flows.sort_by(Self::order);
        // Selects of several groups may have given one twice.
        flows.dedup_by_key(|flow| flow.uuid);
        (flows, odd)
    }

    /// The order of the real client within a datapath, which is that in which flows are tried.
    pub fn order(&self, other: &Self) -> Ordering {
        let place = (self.pipeline, self.table, Reverse(self.priority));
        let place = place.cmp(&(other.pipeline, other.table, Reverse(other.priority)));
        let text =
            || (&self.matches, &self.actions, self.uuid).cmp(&(&other.matches, &other.actions, other.uuid));
        place.then_with(text)
    }

    /// Does a datapath have this flow?
    pub fn is_of(&self, datapath: Uuid, datapaths: &Datapaths) -> bool {
        self.datapath == Some(datapath)
            || self.group.is_some_and(|group| datapaths.has_member(group, datapath))
    }

    /// Is it in this stage?
    pub fn is_in(&self, stage: &Stage) -> bool {
        match stage {
            Stage::Table(table) => self.table == *table,
            Stage::Name(name) => self.stage.as_ref().is_some_and(|stage| stage.contains(name.as_str())),
        }
    }

    /// The line that the real client prints after its indentation; the priority is followed by two spaces or more
    /// because it pads to five.
    pub fn line(&self) -> String {
        let stage = self.stage.as_deref().unwrap_or_default();
        format!(
            "table={:<2}({stage:<19}), priority={:<5}, match=({}), action=({})",
            self.table, self.priority, self.matches, self.actions
        )
    }

    /// The same with `--uuid`: the first digits of its UUID, which are the cookie of its OpenFlow flows.
    pub fn line_with_uuid(&self) -> String {
        format!("uuid=0x{:08x}, {}", self.uuid.first32(), self.line())
    }
}
