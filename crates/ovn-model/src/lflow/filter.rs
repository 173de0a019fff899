//! Which flows are wanted, and how to ask for them at the source.

use super::{Datapaths, Flow, Pipeline};
use crate::UuidPrefix;
use ovsdb::{Atom, Condition, Datum, Op, Select, Uuid};

/// What flows must have in common to be wanted. The default wants all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of one of these datapaths; none: of any.
    pub datapaths: Vec<Uuid>,
    /// In this pipeline.
    pub pipeline: Option<Pipeline>,
    /// In this stage.
    pub stage: Option<Stage>,
    /// With at least this priority.
    pub min_priority: Option<i64>,
    /// With a match that holds this text.
    pub matching: Option<String>,
    /// Of this UUID.
    pub uuid: Option<UuidPrefix>,
}

/// A stage, as a person says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// By the number of its table.
    Table(i64),
    /// By its name or a part of it: `acl` is all that is about ACLs.
    Name(String),
}

impl From<&str> for Stage {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_ascii_lowercase()), Self::Table)
    }
}

impl Filter {
    /// Does it want less than all?
    pub fn is_narrow(&self) -> bool {
        let Self { datapaths, pipeline: _, stage, min_priority: _, matching, uuid } = self;
        !datapaths.is_empty() || stage.is_some() || matching.is_some() || uuid.is_some()
    }

    /// What to ask of the source: the wanted flows, and what it cannot tell from them.
    pub fn selects(&self, datapaths: &Datapaths) -> Vec<Select> {
        /// Beyond this, reading the table is cheaper than naming the groups.
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

    /// Is this flow wanted?
    pub fn wants(&self, flow: &Flow, datapaths: &Datapaths) -> bool {
        self.wants_of_any_stage(flow, datapaths) && self.stage.as_ref().is_none_or(|stage| flow.is_in(stage))
    }

    /// Would it be, in another stage?
    pub fn wants_of_any_stage(&self, flow: &Flow, datapaths: &Datapaths) -> bool {
        (self.datapaths.is_empty() || self.datapaths.iter().any(|datapath| flow.is_of(*datapath, datapaths)))
            && self.pipeline.is_none_or(|pipeline| flow.pipeline == pipeline)
            && self.min_priority.is_none_or(|least| flow.priority >= least)
            && self.matching.as_ref().is_none_or(|text| flow.matches.contains(text))
            && self.uuid.as_ref().is_none_or(|uuid| uuid.is_of(flow.uuid))
    }
}
