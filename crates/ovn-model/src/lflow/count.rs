//! The numbers of logical flows by datapath and stage.

use super::{Datapaths, Flow, Pipeline};
use ovsdb::Uuid;
use std::collections::BTreeMap;

/// The number of flows of a stage in a datapath.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// The pipeline of the stage.
    pub pipeline: Pipeline,
    /// The number of the stage.
    pub table: i64,
    /// The name of the stage.
    pub stage: Option<String>,
    /// The number of flows.
    pub flows: usize,
}

/// Returns the datapaths that have any of these flows, by name, each with its UUID and the number of flows per stage.
pub fn counts<'a>(
    flows: impl IntoIterator<Item = &'a Flow>,
    datapaths: &Datapaths,
) -> Vec<(Uuid, Vec<Count>)> {
    type Stages<'a> = BTreeMap<(Pipeline, i64, Option<&'a str>), usize>;
    let mut of: BTreeMap<Uuid, Stages<'_>> = BTreeMap::new();
    // A flow belongs to a datapath or to a group. The flows of a group are counted once and added to each member.
    for flow in flows {
        for owner in [flow.datapath, flow.group].into_iter().flatten() {
            let stage = (flow.pipeline, flow.table, flow.stage.as_deref());
            *of.entry(owner).or_default().entry(stage).or_default() += 1;
        }
    }
    let count = |((pipeline, table, stage), flows): ((Pipeline, i64, Option<&str>), usize)| Count {
        pipeline,
        table,
        stage: stage.map(str::to_owned),
        flows,
    };
    let of_datapath = |uuid: Uuid| {
        let mut sum = Stages::new();
        let owners = std::iter::once(uuid).chain(datapaths.groups_of(uuid));
        for (stage, flows) in owners.filter_map(|owner| of.get(&owner)).flatten() {
            *sum.entry(*stage).or_default() += flows;
        }
        (uuid, sum.into_iter().map(count).collect::<Vec<_>>())
    };
    datapaths
        .iter()
        .map(|datapath| of_datapath(datapath.uuid))
        .filter(|(_, counts)| !counts.is_empty())
        .collect()
}
