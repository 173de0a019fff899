//! Rows of the northbound database.

use crate::{records, types::ListParams};
use mcp_core::{Answer, Db, Node, Tool, ToolError};

pub(crate) struct NbctlList;

impl Tool for NbctlList {
    const NAME: &'static str = "ovn_nbctl_list";
    const TITLE: &'static str = "Rows of the OVN northbound database";
    const TOOLSET: &'static str = "nb";
    const DESCRIPTION: &'static str = "Rows of any northbound table (Logical_Switch_Port, Load_Balancer, \
         ACL, Port_Group, Address_Set, NAT, Logical_Router_Static_Route, Logical_Router_Policy, …), \
         references by name, without empty columns. Use it for what OVN-Kubernetes wants: routes `of` a \
         router, ACLs `of` a port group, one pod's row; node_name=all shows how zones differ. \
         ovn_sbctl_list tells what came of it.";
    type Params = ListParams;

    fn title(params: &ListParams) -> String {
        format!("{} {}", Db::Nb, params.table)
    }

    async fn run(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
        records::list(node, Db::Nb, params).await
    }
}
