//! Logical flows.

use crate::flows::{self, Read};
use mcp_core::{Answer, Field, Identity, Node, Row, Tool, ToolError};
use ovn_model::{
    UuidPrefix,
    lflow::{Datapath, Filter, Flow, Pipeline, Stage, counts},
    stages::StageNames,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct LflowList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Switch or router: name or UUID; `GR_<node>` is each node's own.
    #[serde(default)]
    datapath: Option<String>,
    /// Default both.
    #[serde(default)]
    pipeline: Option<Half>,
    /// Name or part of it (`acl`), or table number.
    #[serde(default)]
    stage: Option<String>,
    /// Text in the match.
    #[serde(default, rename = "match")]
    matching: Option<String>,
    /// Cookie (0x…), UUID or its first digits.
    #[serde(default)]
    uuid: Option<String>,
    /// Lowest priority.
    #[serde(default)]
    min_priority: Option<i64>,
    /// Counts the flows of each stage.
    #[serde(default)]
    count: bool,
    /// Print UUIDs (cookies).
    #[serde(default)]
    uuids: bool,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Half {
    Ingress,
    Egress,
}

impl Tool for LflowList {
    const NAME: &'static str = "ovn_sbctl_lflow_list";
    const TITLE: &'static str = "OVN logical flows";
    const TOOLSET: &'static str = "flows";
    const DESCRIPTION: &'static str = "Logical flows of a node's zone as `ovn-sbctl lflow-list`; without a \
         filter, counts per datapath. Use it for what ovn-northd made of an ACL, route or load balancer; \
         node_name=all shows which flows a zone lacks. ovn_detrace tells where one comes from.";
    type Params = Params;

    fn title(params: &Params) -> String {
        let of = params.datapath.as_ref().map(|datapath| format!(" of {datapath}")).unwrap_or_default();
        format!("logical flows{of}")
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let mut read = Read { datapaths: flows::datapaths(node).await?, ..Read::default() };
        let filter = filter(node, params, &read)?;
        let Some(filter) = filter else {
            return Ok(Answer { if_empty: "the zone has no such datapath".into(), ..Answer::default() });
        };
        (read.flows, read.notes) = Flow::read(&flows::rows(node, &filter.selects(&read.datapaths)).await?);
        check_stage(node, &filter, &read)?;
        read.flows.retain(|flow| filter.wants(flow, &read.datapaths));
        let rows = match (params.count || !filter.is_narrow(), node.is_compared()) {
            (true, _) if params.count => count_rows(node, &filter, &read).await,
            (true, _) => overview(&mut read),
            (false, false) => flow_rows(&filter, &read, params.uuids),
            (false, true) => flows::compared(node, &filter, &mut read).await?,
        };
        Ok(Answer {
            rows,
            if_empty: if filter.is_narrow() {
                "no flow fits"
            } else {
                "there is no flow: ovn-northd made none"
            }
            .into(),
            notes: read.notes,
            facts: flows::facts(node).await,
            has: flows::groups(node).await,
            ..Answer::default()
        })
    }
}

/// What is asked for; nothing if another node may have the datapath and this one has not.
fn filter(node: &Node<'_>, params: &Params, read: &Read) -> Result<Option<Filter>, ToolError> {
    let mut filter = Filter {
        datapaths: Vec::new(),
        pipeline: params.pipeline.map(|half| match half {
            Half::Ingress => Pipeline::Ingress,
            Half::Egress => Pipeline::Egress,
        }),
        stage: params.stage.as_deref().map(Stage::from),
        min_priority: params.min_priority,
        matching: params.matching.clone(),
        uuid: params.uuid.as_deref().map(prefix).transpose()?,
    };
    if let Some(wanted) = &params.datapath {
        let found = flows::find_datapaths(node, &read.datapaths, wanted);
        if found.is_empty() && node.is_compared() {
            return Ok(None);
        }
        if found.is_empty() {
            return Err(ToolError::not_found(
                "datapath",
                wanted,
                read.datapaths.iter().map(|it| it.name.as_str()),
            ));
        }
        filter.datapaths = found.into_iter().map(|datapath| datapath.uuid).collect();
    }
    Ok(Some(filter))
}

fn prefix(text: &str) -> Result<UuidPrefix, ToolError> {
    text.parse().map_err(|e: ovn_model::BadPrefix| {
        ToolError::bad(e.to_string(), "Cookies stand in OpenFlow flows as cookie=0x….")
    })
}

/// A stage that nothing is in is more often a wrong name than an empty stage: names differ between versions.
fn check_stage(node: &Node<'_>, filter: &Filter, read: &Read) -> Result<(), ToolError> {
    let Some(Stage::Name(stage)) = &filter.stage else { return Ok(()) };
    let names =
        StageNames::of(read.flows.iter().filter(|flow| filter.wants_of_any_stage(flow, &read.datapaths)));
    let known: BTreeSet<&str> = names.iter().collect();
    match known.is_empty() || node.is_compared() || known.iter().any(|name| name.contains(stage.as_str())) {
        true => Ok(()),
        false => Err(ToolError::not_found("stage with such flows", stage, known)),
    }
}

/// As the client prints them: under their datapath, or if none is asked for, once under their group.
fn flow_rows(filter: &Filter, read: &Read, uuids: bool) -> Vec<Row> {
    let row = |heading: &Arc<str>, flow: &Flow| {
        let line = if uuids { flow.line_with_uuid() } else { flow.line() };
        Row::line(format!("  {line}")).under(heading)
    };
    let mut rows = Vec::new();
    let mut add = |of: &str, flows: &[&Flow]| {
        for flows in flows.chunk_by(|a, b| a.pipeline == b.pipeline) {
            let Some(first) = flows.first() else { continue };
            let heading: Arc<str> = format!("{of}  Pipeline: {}", first.pipeline).into();
            rows.extend(flows.iter().map(|flow| row(&heading, flow)));
        }
    };
    let asked = |datapath: &&Datapath| filter.datapaths.contains(&datapath.uuid);
    for datapath in read.datapaths.iter().filter(asked) {
        let of = |flow: &&Flow| flow.is_of(datapath.uuid, &read.datapaths);
        add(&datapath.heading(), &read.flows.iter().filter(of).collect::<Vec<_>>());
    }
    if filter.datapaths.is_empty() {
        for (heading, flows) in read.by_owner() {
            add(&heading, &flows);
        }
    }
    rows
}

/// How many flows each datapath has: where to begin.
fn overview(read: &mut Read) -> Vec<Row> {
    read.notes.push("these are numbers of flows: give a datapath, stage, match or uuid for the flows, or count=true for stages".into());
    let row = |(uuid, stages): (_, Vec<ovn_model::lflow::Count>)| {
        let datapath = read.datapaths.get(uuid)?;
        let sum = |half| {
            stages.iter().filter(|count| count.pipeline == half).map(|count| count.flows).sum::<usize>()
        };
        let text = format!(
            "{}: {} ingress, {} egress",
            datapath.shown(),
            sum(Pipeline::Ingress),
            sum(Pipeline::Egress)
        );
        Some(Row::with(text, Identity { key: datapath.name.clone(), ..Identity::default() }))
    };
    counts(&read.flows, &read.datapaths).into_iter().filter_map(row).collect()
}

/// How many flows each stage has.
async fn count_rows(node: &Node<'_>, filter: &Filter, read: &Read) -> Vec<Row> {
    let layout = flows::layout(node).await;
    let mut rows = Vec::new();
    for (uuid, stages) in counts(&read.flows, &read.datapaths) {
        let Some(datapath) = read
            .datapaths
            .get(uuid)
            .filter(|it| filter.datapaths.is_empty() || filter.datapaths.contains(&it.uuid))
        else {
            continue;
        };
        for count in stages {
            let heading: Arc<str> = format!("{}  Pipeline: {}", datapath.heading(), count.pipeline).into();
            let stage = count.stage.as_deref().unwrap_or_default();
            let openflow = layout.and_then(|layout| layout.table(count.pipeline, count.table));
            let openflow =
                openflow.map_or("OpenFlow table unknown".into(), |table| format!("OpenFlow table {table}"));
            let text = format!("  table={:<2}({stage:<19}), {openflow}: {} flows", count.table, count.flows);
            let key = format!("{} {} table={} ({stage})", datapath.name, count.pipeline, count.table);
            let fields = vec![Field::one("flows", count.flows.to_string())];
            rows.push(Row::with(text, Identity { key, fields, ..Identity::default() }).under(&heading));
        }
    }
    rows
}
