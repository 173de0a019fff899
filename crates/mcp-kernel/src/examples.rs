//! Examples of calls, which `tools NAME` and the help of a tool print. A test makes each of them.

use mcp_core::Example;

/// At least one example for each tool. The names are those of the shipped test data.
pub(crate) const EXAMPLES: &[Example] = &[
    Example { tool: "ip_addr_show", arguments: &["node_name=ovn-worker2", "interface=br-ex"] },
    Example { tool: "ip_link_show", arguments: &["node_name=all"] },
    Example { tool: "ip_route_show", arguments: &["node_name=ovn-worker", "get=8.8.8.8"] },
    Example { tool: "ip_rule_show", arguments: &["node_name=all"] },
    Example { tool: "ip_neigh_show", arguments: &["node_name=ovn-worker2"] },
    Example { tool: "ip_xfrm_show", arguments: &["node_name=all"] },
    Example { tool: "nft_list_ruleset", arguments: &["node_name=ovn-worker2", "port=30080"] },
    Example { tool: "iptables_save", arguments: &["node_name=ovn-worker2", "family=ipv4"] },
    Example {
        tool: "conntrack_list",
        arguments: &["node_name=ovn-worker2", "address=172.18.0.2", "protocol=udp"],
    },
    Example { tool: "conntrack_events", arguments: &["node_name=ovn-worker2", "protocol=tcp"] },
    Example { tool: "ss_show", arguments: &["node_name=ovn-worker", "state=LISTEN"] },
    Example { tool: "host_counters", arguments: &["node_name=ovn-worker2", "what=conntrack"] },
    Example { tool: "ipsec_show", arguments: &["node_name=ovn-worker", "what=status"] },
    Example { tool: "frr_show", arguments: &["node_name=ovn-worker", "what=running_config"] },
    Example { tool: "kernel_audit", arguments: &[] },
];
