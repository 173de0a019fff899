//! Examples of calls, which `tools NAME` and the help of a tool print. A test makes each of them.

use mcp_core::Example;

/// At least one example for each tool. The names are those of the shipped test data.
pub(crate) const EXAMPLES: &[Example] = &[
    Example { tool: "ovs_vsctl_show", arguments: &["node_name=ovn-worker"] },
    Example {
        tool: "ovs_vsctl_list",
        arguments: &[
            "node_name=ovn-worker",
            "table=Interface",
            "of=br-int",
            "columns=name,ofport,link_state",
        ],
    },
    Example {
        tool: "ovs_vsctl_list",
        arguments: &["node_name=ovn-worker", "table=Interface", "where=type=geneve"],
    },
    Example { tool: "ovs_ofctl_dump_flows", arguments: &["node_name=ovn-worker", "table=ls_in_lb"] },
    Example { tool: "ovs_ofctl_show", arguments: &["node_name=ovn-worker", "bridge=br-ex"] },
    Example { tool: "ovs_appctl_dpctl_dump_flows", arguments: &["node_name=ovn-worker", "nonzero=true"] },
    Example {
        tool: "ovs_appctl_dpctl_dump_conntrack",
        arguments: &["node_name=ovn-worker", "address=172.18.0.1"],
    },
    Example {
        tool: "ovs_appctl_ofproto_trace",
        arguments: &["from=clients/client-v58hz", "to=shop/web", "port=80"],
    },
    Example { tool: "ovs_appctl_show", arguments: &["node_name=ovn-worker", "subject=fdb"] },
    Example {
        tool: "retis_capture",
        arguments: &["node_name=ovn-worker", "filter=host 10.244.1.5 and tcp port 8080"],
    },
    Example { tool: "ovs_audit", arguments: &[] },
];
