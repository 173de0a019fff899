//! The tool `ovnkube_locate`: finds the OVN entities of a pod, service, node or address.

use crate::locate::Locator;
use mcp_core::{Answer, ClusterReader, ClusterTool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct OvnkubeLocate;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Pod or service as `namespace/name`, node, IP address, `IP:port`, or MAC address.
    what: String,
}

impl ClusterTool for OvnkubeLocate {
    const NAME: &'static str = "ovnkube_locate";
    const TITLE: &'static str = "Location in OVN";
    const TOOLSET: &'static str = "overview";
    const DESCRIPTION: &'static str = "Finds a pod, service, node, IP or MAC address and shows what the other tools take as \
         parameters: node, zone, ovnkube pod and containers, logical switch and port, addresses, tunnel key, interface, \
         network, load balancers. It compares objects, annotations and the databases of the node, and marks each \
         difference as FINDING.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("location of {}", params.what.trim())
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        Locator::locate(cluster, &params.what).await
    }
}
