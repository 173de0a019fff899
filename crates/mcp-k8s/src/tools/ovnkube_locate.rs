//! Everything that the other layers need to know of a pod, service, node or address.

use crate::locate::Locator;
use mcp_core::{Answer, Cluster, ClusterTool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct OvnkubeLocate;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// A pod or service as `namespace/name`, a node, an IP address, `IP:port`, or a MAC address.
    what: String,
}

impl ClusterTool for OvnkubeLocate {
    const NAME: &'static str = "ovnkube_locate";
    const TITLE: &'static str = "Where something is in OVN-Kubernetes";
    const TOOLSET: &'static str = "overview";
    const DESCRIPTION: &'static str = "From a pod, service, node, IP or MAC address to what the other tools ask for: node, \
         zone, ovnkube pod and containers, logical switch and port, addresses, tunnel key, interface, network, load \
         balancers. Objects, annotations and the databases of the node are compared: where they differ it says \
         FINDING.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("where {} is", params.what.trim())
    }

    async fn run(cluster: &Cluster<'_>, params: &Params) -> Result<Answer, ToolError> {
        Locator::locate(cluster, &params.what).await
    }
}
