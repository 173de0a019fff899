//! The servers and their tools, by name: what a prompt of one layer leads to is often a tool of another.

/// The tools of each server of the suite. A layer's own table is checked against it, and prompts are.
pub const TOOLS: [(&str, &[&str]); 5] = [
    (
        "mcp-k8s",
        &[
            "cluster_overview",
            "kubectl_get",
            "kubectl_describe",
            "kubectl_events",
            "kubectl_logs",
            "node_logs",
            "ovnkube_locate",
            "ovnkube_trace",
        ],
    ),
    (
        "mcp-ovn",
        &[
            "ovn_nbctl_show",
            "ovn_sbctl_show",
            "ovn_nbctl_list",
            "ovn_sbctl_list",
            "ovn_sbctl_lflow_list",
            "ovn_trace",
            "ovn_detrace",
            "ovn_db_status",
            "ovn_controller_ct_zone_list",
            "ovn_audit",
        ],
    ),
    (
        "mcp-ovs",
        &[
            "ovs_vsctl_show",
            "ovs_vsctl_list",
            "ovs_ofctl_dump_flows",
            "ovs_ofctl_show",
            "ovs_appctl_dpctl_dump_flows",
            "ovs_appctl_dpctl_dump_conntrack",
            "ovs_appctl_ofproto_trace",
            "ovs_appctl_show",
            "retis_capture",
        ],
    ),
    (
        "mcp-kernel",
        &[
            "ip_addr_show",
            "ip_link_show",
            "ip_route_show",
            "ip_rule_show",
            "ip_neigh_show",
            "ip_xfrm_show",
            "nft_list_ruleset",
            "iptables_save",
            "conntrack_list",
            "conntrack_events",
            "ss_show",
            "host_counters",
            "ipsec_show",
            "frr_show",
        ],
    ),
    ("mcp-capture", &["tcpdump_capture", "tcpdump_analyze", "pwru_trace"]),
];

/// A parameter and a router, whose names look like those of tools.
const NO_TOOLS: [&str; 2] = ["node_name", "ovn_cluster_router"];

/// Words of a text that look like the name of a tool, and that no server has.
pub fn unknown_tools(text: &str) -> Vec<String> {
    let known = || TOOLS.iter().flat_map(|(_, tools)| tools.iter().copied());
    let programs: Vec<&str> = known().filter_map(|tool| tool.split('_').next()).collect();
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    let is_tool = |word: &&str| {
        word.split_once('_').is_some_and(|(program, _)| programs.contains(&program))
            && !NO_TOOLS.contains(word)
    };
    words.filter(is_tool).filter(|word| known().all(|tool| tool != *word)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::unknown_tools;

    #[test]
    fn tools_are_told_from_other_words() {
        let text = "ovn_nbctl_show node_name=all, then ovn_nbctl_shwo; br_int, ip_forward and genev_sys_6081";
        assert_eq!(unknown_tools(text), ["ovn_nbctl_shwo", "ip_forward"]);
    }
}
