//! Rows of the southbound database.

use crate::{records, types::ListParams};
use mcp_core::{Answer, Db, Node, Tool, ToolError};

pub(crate) struct SbctlList;

impl Tool for SbctlList {
    const NAME: &'static str = "ovn_sbctl_list";
    const TITLE: &'static str = "Rows of the OVN southbound database";
    const TOOLSET: &'static str = "sb";
    const DESCRIPTION: &'static str = "Rows of any southbound table (Port_Binding, Chassis, \
         Datapath_Binding, MAC_Binding, Load_Balancer, …), references by name, without empty columns. Use \
         it for what ovn-northd made and ovn-controller reported: is a port up, on which chassis, which MAC \
         has a next hop. Compare with ovn_nbctl_list.";
    type Params = ListParams;

    fn title(params: &ListParams) -> String {
        format!("{} {}", Db::Sb, params.table)
    }

    async fn run(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
        records::list(node, Db::Sb, params).await
    }
}
