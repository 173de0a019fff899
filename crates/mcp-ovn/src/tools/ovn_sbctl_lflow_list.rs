//! The tool `ovn_sbctl_lflow_list`: logical flows.

use crate::{
    flows::{self, ZoneFlows},
    meanings,
};
use mcp_core::{Answer, Node, Row, RowField, RowIdentity, Tool, ToolError, counted};
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
    /// Name or UUID of a switch or router; `<node>`, as in `GR_<node>`, stands for each node's name.
    #[serde(default)]
    datapath: Option<String>,
    /// Show only this pipeline.
    #[serde(default)]
    pipeline: Option<Half>,
    /// Name of the stage or part of it (`acl`), or the table number.
    #[serde(default)]
    stage: Option<String>,
    /// Text that the match contains.
    #[serde(default, rename = "match")]
    matching: Option<String>,
    /// Cookie (0x…) or UUID (or its first digits) of the flow.
    #[serde(default)]
    uuid: Option<String>,
    /// Lowest priority to show.
    #[serde(default)]
    min_priority: Option<i64>,
    /// Count the flows of each stage instead of listing them.
    #[serde(default)]
    count: bool,
    /// Also print the UUID of each flow, which begins with its cookie.
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
    const DESCRIPTION: &'static str = "Lists logical flows of a node's zone like `ovn-sbctl lflow-list`, or \
         counts them per datapath if there is no filter. Use it to see what ovn-northd compiled from an ACL, \
         route or load balancer; node_name=all shows which flows a zone lacks.";
    type Params = Params;

    fn title(params: &Params) -> String {
        let of = params.datapath.as_ref().map(|datapath| format!(" of {datapath}")).unwrap_or_default();
        format!("logical flows{of}")
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let mut read = ZoneFlows { datapaths: flows::datapaths(node).await?, ..ZoneFlows::default() };
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
        let meanings = meanings::of_sets(node, rows.iter().map(|row| row.text.as_str())).await;
        Ok(Answer {
            rows,
            meanings,
            if_empty: if filter.is_narrow() {
                "no flow matches the filter"
            } else {
                "the zone has no logical flows: ovn-northd compiled none"
            }
            .into(),
            notes: read.notes,
            facts: flows::facts(node).await,
            has: flows::groups(node).await,
            ..Answer::default()
        })
    }
}

/// Builds the filter from the parameters. Returns `None` in a comparison if this node lacks the datapath, since another
/// node may have it.
fn filter(node: &Node<'_>, params: &Params, read: &ZoneFlows) -> Result<Option<Filter>, ToolError> {
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
        ToolError::bad(e.to_string(), "Take the cookie from an OpenFlow flow, where it is printed as cookie=0x…, or a UUID from this tool.")
    })
}

/// Refuses a stage name that no flow has. It is more likely a wrong name than an empty stage, since stage names differ
/// between OVN versions.
fn check_stage(node: &Node<'_>, filter: &Filter, read: &ZoneFlows) -> Result<(), ToolError> {
    let Some(Stage::Name(stage)) = &filter.stage else { return Ok(()) };
    let names =
        StageNames::of(read.flows.iter().filter(|flow| filter.wants_of_any_stage(flow, &read.datapaths)));
    let known: BTreeSet<&str> = names.iter().collect();
    match known.is_empty() || node.is_compared() || known.iter().any(|name| name.contains(stage.as_str())) {
        true => Ok(()),
        false => Err(ToolError::not_found("stage with matching flows", stage, known)),
    }
}

/// Returns the flows as `ovn-sbctl lflow-list` prints them: under the requested datapaths, or else once under their
/// datapath or datapath group.
fn flow_rows(filter: &Filter, read: &ZoneFlows, uuids: bool) -> Vec<Row> {
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

/// Returns the number of flows of each datapath, as a starting point.
fn overview(read: &mut ZoneFlows) -> Vec<Row> {
    read.notes.push("these are counts only; pass datapath, stage, match or uuid to list flows, or count=true to count the flows of each stage".into());
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
        Some(Row::with(text, RowIdentity { key: datapath.name.clone(), ..RowIdentity::default() }))
    };
    counts(&read.flows, &read.datapaths).into_iter().filter_map(row).collect()
}

/// Returns the number of flows of each stage.
async fn count_rows(node: &Node<'_>, filter: &Filter, read: &ZoneFlows) -> Vec<Row> {
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
            let flows = counted(count.flows, "flow");
            let text = format!("  table={:<2}({stage:<19}), {openflow}: {flows}", count.table);
            let key = format!("{} {} table={} ({stage})", datapath.name, count.pipeline, count.table);
            let fields = vec![RowField::one("flows", count.flows.to_string())];
            rows.push(Row::with(text, RowIdentity { key, fields, ..RowIdentity::default() }).under(&heading));
        }
    }
    rows
}
