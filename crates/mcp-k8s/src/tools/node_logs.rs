//! The tool `node_logs`: reads a log of a host.

use crate::log::{LogParams, end_of};
use mcp_core::{Answer, Fact, HostLog, LogQuery, LogSource, Many, Node, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct NodeLogs;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// Service or log of the host.
    log: Source,
    #[serde(flatten)]
    lines: LogParams,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
enum Source {
    #[serde(rename = "kubelet")]
    Kubelet,
    #[serde(rename = "ovs-vswitchd")]
    OvsVswitchd,
    #[serde(rename = "ovsdb-server")]
    OvsdbServer,
    #[serde(rename = "ovn-controller")]
    OvnController,
    #[serde(rename = "acl-audit")]
    AclAudit,
    #[serde(rename = "NetworkManager")]
    NetworkManager,
    #[serde(rename = "ovs-configuration")]
    OvsConfiguration,
    #[serde(rename = "runtime")]
    Runtime,
    #[serde(rename = "kernel")]
    Kernel,
    #[serde(rename = "libreswan")]
    Libreswan,
}

impl From<Source> for HostLog {
    fn from(source: Source) -> Self {
        match source {
            Source::Kubelet => Self::Kubelet,
            Source::OvsVswitchd => Self::OvsVswitchd,
            Source::OvsdbServer => Self::OvsdbServer,
            Source::OvnController => Self::OvnController,
            Source::AclAudit => Self::AclAudit,
            Source::NetworkManager => Self::NetworkManager,
            Source::OvsConfiguration => Self::OvsConfiguration,
            Source::Runtime => Self::Runtime,
            Source::Kernel => Self::Kernel,
            Source::Libreswan => Self::Libreswan,
        }
    }
}

impl Tool for NodeLogs {
    const NAME: &'static str = "node_logs";
    const TITLE: &'static str = "Log of a host";
    const TOOLSET: &'static str = "logs";
    const DESCRIPTION: &'static str = "Shows a log of the host, as kubectl_logs shows a container's log. With digest=true \
         and several nodes it shows the message templates that only some of the nodes have; without `since` rotated files \
         are left out. Upstream OVN-Kubernetes writes ACL logs to the log of ovn-controller (grep=acl_log).";
    const OWN_GREP: bool = true;
    type Params = Params;

    fn title(params: &Params) -> String {
        let what = if params.lines.digest { "digest of the log" } else { "log" };
        format!("{what} {}", HostLog::from(params.log))
    }

    fn many(params: &Params) -> Many {
        match params.lines.digest {
            true => Many::Compare,
            false => Many::Each {
                because: "log lines differ on every node; digest=true compares the message templates",
            },
        }
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let source = LogSource::Host { node: node.name().clone(), log: params.log.into() };
        let now = node.now().await;
        let end = match params.lines.is_relative() && !node.is_live() {
            true => match node.log(&LogQuery::all(source.clone())).await {
                Ok(stream) => end_of(stream, now, node.within() / 2).await,
                // The read below reports the error.
                Err(_) => None,
            },
            false => None,
        };
        let reading = params.lines.reading(now, end, node.budget(), node.within())?;
        let reading = if node.is_compared() { reading.whole() } else { reading };
        let query = LogQuery { source, since: reading.since, tail: params.lines.only_tail() };
        let mut answer = reading.of(node.log(&query).await?).await;
        // Templates mask addresses already, so the only fact to add is the node's name.
        let name = Fact { kind: "node".into(), value: node.name().to_string(), field: None };
        answer.facts.push(name);
        Ok(answer)
    }
}
