//! Filters that select logical flows, and the selects for them.

use super::{Datapaths, Flow, Pipeline};
use crate::UuidPrefix;
use ovsdb::{Atom, Condition, Datum, Op, Select, Uuid};

/// A filter for flows. A flow must meet all conditions that are set, and the default selects all flows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The datapaths of the flow. An empty list means any datapath.
    pub datapaths: Vec<Uuid>,
    /// The pipeline of the flow.
    pub pipeline: Option<Pipeline>,
    /// The stage of the flow.
    pub stage: Option<Stage>,
    /// The lowest priority of the flow.
    pub min_priority: Option<i64>,
    /// A text that the match must contain.
    pub matching: Option<String>,
    /// The UUID of the flow, or its first digits.
    pub uuid: Option<UuidPrefix>,
}

/// A stage, as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The number of its table.
    Table(i64),
    /// The name or a part of it: `acl` means all stages for ACLs.
    Name(String),
}

impl From<&str> for Stage {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_ascii_lowercase()), Self::Table)
    }
}

impl Filter {
    /// Returns whether the filter has any condition.
    pub fn is_narrow(&self) -> bool {
        let Self { datapaths, pipeline: _, stage, min_priority: _, matching, uuid } = self;
        !datapaths.is_empty() || stage.is_some() || matching.is_some() || uuid.is_some()
    }

    /// Returns the selects for the flows. They may also give flows that the filter does not select.
    pub fn selects(&self, datapaths: &Datapaths) -> Vec<Select> {
        /// The largest number of groups to select by name. For more groups, reading the table is cheaper.
        const GROUPS: usize = 64;
        let mut select = Select::from("Logical_Flow").columns(Flow::COLUMNS);
        if let Some(uuid) = self.uuid.as_ref().and_then(UuidPrefix::whole) {
            select = select.filter(Condition::is("_uuid", uuid));
        }
        if let Some(pipeline) = self.pipeline {
            select = select.filter(Condition::is("pipeline", pipeline.as_str()));
        }
        if let Some(Stage::Table(table)) = self.stage {
            select = select.filter(Condition::is("table_id", table));
        }
        if let Some(least) = self.min_priority {
            select = select.filter(Condition::new("priority", Op::Ge, Datum::scalar(least)));
        }
        let groups: Vec<Uuid> =
            self.datapaths.iter().flat_map(|datapath| datapaths.groups_of(*datapath)).collect();
        if self.datapaths.is_empty() || groups.len() > GROUPS {
            return vec![select];
        }
        let of = |column: &str, uuid: Uuid| {
            select.clone().filter(Condition::new(column, Op::Eq, Datum::set([Atom::Uuid(uuid)])))
        };
        let own = self.datapaths.iter().map(|datapath| of("logical_datapath", *datapath));
        own.chain(groups.iter().map(|group| of("logical_dp_group", *group))).collect()
    }

    /// Returns whether the filter selects this flow.
    pub fn wants(&self, flow: &Flow, datapaths: &Datapaths) -> bool {
        self.wants_of_any_stage(flow, datapaths) && self.stage.as_ref().is_none_or(|stage| flow.is_in(stage))
    }

    /// Returns whether the filter selects this flow if its stage is ignored.
    pub fn wants_of_any_stage(&self, flow: &Flow, datapaths: &Datapaths) -> bool {
        (self.datapaths.is_empty() || self.datapaths.iter().any(|datapath| flow.is_of(*datapath, datapaths)))
            && self.pipeline.is_none_or(|pipeline| flow.pipeline == pipeline)
            && self.min_priority.is_none_or(|least| flow.priority >= least)
            && self.matching.as_ref().is_none_or(|text| flow.matches.contains(text))
            && self.uuid.as_ref().is_none_or(|uuid| uuid.is_of(flow.uuid))
    }
}
