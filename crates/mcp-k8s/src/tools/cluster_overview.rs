//! What a model reads first.

use crate::overview::Overview;
use mcp_core::{Answer, Cluster, ClusterTool, Row, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct ClusterOverview;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {}

impl ClusterTool for ClusterOverview {
    const NAME: &'static str = "cluster_overview";
    const TITLE: &'static str = "Overview of the cluster";
    const TOOLSET: &'static str = "overview";
    const DESCRIPTION: &'static str = "Call it first: flavour, versions, gateway mode, interconnect zones, MTU, networks, \
         and each node with its zone, subnets, encapsulation address and the health of its OVN-Kubernetes pods. Of a \
         bundle, what was collected of each node and what not. Then ovnkube_locate for the pod, service or address in \
         question.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "overview".into()
    }

    async fn run(cluster: &Cluster<'_>, _: &Params) -> Result<Answer, ToolError> {
        let overview = Overview::read(cluster).await?;
        let mut notes = overview.notes.clone();
        notes.push(format!("next: {}", overview.next().join("; ")));
        Ok(Answer {
            rows: overview.rows(cluster).into_iter().map(Row::line).collect(),
            if_empty: String::new(),
            notes,
            ..Answer::default()
        })
    }
}
