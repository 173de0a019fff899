//! The tool `ovn_sbctl_list`: rows of the southbound database.

use crate::{records, types::ListParams};
use mcp_core::{Answer, Db, Node, Tool, ToolError};

pub(crate) struct SbctlList;

impl Tool for SbctlList {
    const NAME: &'static str = "ovn_sbctl_list";
    const TITLE: &'static str = "OVN southbound rows";
    const TOOLSET: &'static str = "sb";
    const DESCRIPTION: &'static str = "Lists rows of a southbound table (Port_Binding, Chassis, \
         Datapath_Binding, MAC_Binding, Load_Balancer, …), without empty columns and with references as \
         names. Use it for what ovn-northd compiled and ovn-controller reported: whether a port is up, on \
         which chassis, and which MAC address a next hop has.";
    type Params = ListParams;

    fn title(params: &ListParams) -> String {
        format!("{} {}", Db::Sb, params.table)
    }

    async fn run(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
        records::list(node, Db::Sb, params).await
    }
}
