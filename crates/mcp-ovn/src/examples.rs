//! Examples of calls, which `tools NAME` and the help of a tool print. A test makes each of them.

use mcp_core::Example;

/// At least one example for each tool. The names are those of the shipped test data.
pub(crate) const EXAMPLES: &[Example] = &[
    Example { tool: "ovn_nbctl_show", arguments: &["node_name=ovn-worker", "of=ovn_cluster_router"] },
    Example { tool: "ovn_nbctl_show", arguments: &["node_name=all"] },
    Example { tool: "ovn_sbctl_show", arguments: &["node_name=ovn-worker", "chassis=ovn-worker2"] },
    Example {
        tool: "ovn_nbctl_list",
        arguments: &[
            "pod=shop/web-7ddbb54ff6-h8c4s",
            "table=Logical_Switch_Port",
            "record=shop/web-7ddbb54ff6-h8c4s",
        ],
    },
    Example {
        tool: "ovn_nbctl_list",
        arguments: &["node_name=ovn-worker", "table=ACL", "of=NetworkPolicy:shop:allow-web-from-clients"],
    },
    Example {
        tool: "ovn_nbctl_list",
        arguments: &[
            "node_name=ovn-worker",
            "table=ACL",
            "where=priority>1000",
            "where=action!=allow-related",
            "columns=name,match,action",
        ],
    },
    Example {
        tool: "ovn_nbctl_list",
        arguments: &["node_name=all", "table=Load_Balancer", "where=external_ids:k8s.ovn.org/owner=shop/web"],
    },
    Example {
        tool: "ovn_sbctl_list",
        arguments: &[
            "node_name=ovn-worker",
            "table=Port_Binding",
            "where=type=patch",
            "columns=logical_port,tunnel_key",
        ],
    },
    Example {
        tool: "ovn_sbctl_lflow_list",
        arguments: &["node_name=ovn-worker", "datapath=ovn-worker", "stage=ls_in_acl_eval"],
    },
    Example { tool: "ovn_trace", arguments: &["from=clients/client-v58hz", "to=10.244.0.3", "port=80"] },
    Example { tool: "ovn_detrace", arguments: &["node_name=ovn-control-plane", "cookies=0x76da66a4"] },
    Example { tool: "ovn_db_status", arguments: &["node_name=all"] },
    Example { tool: "ovn_db_status", arguments: &["node_name=ovn-worker", "history=nb", "since=10m"] },
    Example { tool: "ovn_controller_ct_zone_list", arguments: &["node_name=ovn-worker"] },
    Example { tool: "ovn_audit", arguments: &[] },
];
