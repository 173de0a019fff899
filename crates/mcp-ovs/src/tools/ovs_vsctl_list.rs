//! The tool that lists rows of the switch's database.

use crate::{records, types::ListParams};
use mcp_core::{Answer, Db, Node, Tool, ToolError};

pub(crate) struct VsctlList;

impl Tool for VsctlList {
    const NAME: &'static str = "ovs_vsctl_list";
    const TITLE: &'static str = "Open vSwitch rows";
    const TOOLSET: &'static str = "switch";
    const DESCRIPTION: &'static str = "Lists the rows of a table of conf.db (Interface, Port, Bridge, Open_vSwitch, QoS …), \
         without empty columns. Use it for the interface of a pod, statistics, MTU, errors and ovn-* settings.";
    type Params = ListParams;

    fn title(params: &ListParams) -> String {
        format!("{} {}", Db::OpenVSwitch, params.table)
    }

    async fn run(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
        records::list(node, params).await
    }
}
