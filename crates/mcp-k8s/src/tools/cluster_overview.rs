//! The tool `cluster_overview`: summarizes the cluster. It is the first call of a session.

use crate::overview::Overview;
use mcp_core::{Answer, ClusterReader, ClusterTool, Row, ToolError};
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
    const DESCRIPTION: &'static str = "Summarizes the cluster; call it first. Shows flavour, versions, gateway mode, \
         interconnect zones, MTU, networks, and for each node its zone, subnets, encapsulation address, the health of its \
         OVN-Kubernetes pods and, for a bundle, which data was collected. Call ovnkube_locate next.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "overview".into()
    }

    async fn run(cluster: &ClusterReader<'_>, _: &Params) -> Result<Answer, ToolError> {
        let overview = Overview::read(cluster).await?;
        let mut notes = overview.notes.clone();
        notes.push(format!("call next: {}", overview.next().join("; ")));
        Ok(Answer {
            rows: overview.rows(cluster).into_iter().map(Row::line).collect(),
            if_empty: String::new(),
            notes,
            ..Answer::default()
        })
    }
}
