//! The tool `ovn_nbctl_list`: rows of the northbound database.

use crate::{records, types::ListParams};
use mcp_core::{Answer, Db, Node, Tool, ToolError};

pub(crate) struct NbctlList;

impl Tool for NbctlList {
    const NAME: &'static str = "ovn_nbctl_list";
    const TITLE: &'static str = "OVN northbound rows";
    const TOOLSET: &'static str = "nb";
    const DESCRIPTION: &'static str = "Lists rows of a northbound table (Logical_Switch_Port, \
         Load_Balancer, ACL, Port_Group, Address_Set, NAT, Logical_Router_Static_Route, \
         Logical_Router_Policy, …), without empty columns and with references as names. Use it for the \
         configuration that OVN-Kubernetes wants: routes `of` a router, ACLs `of` a port group, the port of a \
         pod; node_name=all shows how zones differ.";
    type Params = ListParams;

    fn title(params: &ListParams) -> String {
        format!("{} {}", Db::Nb, params.table)
    }

    async fn run(node: &Node<'_>, params: &ListParams) -> Result<Answer, ToolError> {
        records::list(node, Db::Nb, params).await
    }
}
