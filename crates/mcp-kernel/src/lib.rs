//! The kernel layer of OVN-Kubernetes: netfilter and the host network.
//!
//! Each tool has a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod checks;
mod commands;
mod compare;
mod connections;
mod counter;
mod examples;
mod nft_names;
mod output;
mod prompts;
mod secrets;
mod tools;
mod types;
mod way;

use mcp_core::{Layer, ToolEntry};

/// Returns the tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Netfilter and host network")
        .instructions(
            "Shows the network state in the kernel of OVN-Kubernetes nodes: routes and rules, netfilter, \
             connections, sockets, IPsec, FRR. It changes nothing. Pass node_name for a node, pod for a pod's \
             network namespace, or node_name=all to compare all nodes, which shows a foreign \
             rule, a different MTU or a missing route. Begin with ip_rule_show and ip_route_show \
             to see where packets go, nft_list_ruleset to see what is translated or dropped, \
             conntrack_list to see the state of a connection, and host_counters to see where \
             packets are lost.",
        )
        .tools(vec![
            ToolEntry::of::<tools::ip_addr_show::IpAddrShow>(),
            ToolEntry::of::<tools::ip_link_show::IpLinkShow>(),
            ToolEntry::of::<tools::ip_route_show::IpRouteShow>(),
            ToolEntry::of::<tools::ip_rule_show::IpRuleShow>(),
            ToolEntry::of::<tools::ip_neigh_show::IpNeighShow>(),
            ToolEntry::of::<tools::ip_xfrm_show::IpXfrmShow>(),
            ToolEntry::of::<tools::nft_list_ruleset::NftListRuleset>(),
            ToolEntry::of::<tools::iptables_save::IptablesSave>(),
            ToolEntry::of::<tools::conntrack_list::ConntrackList>(),
            ToolEntry::of::<tools::conntrack_events::ConntrackEvents>(),
            ToolEntry::of::<tools::ss_show::SsShow>(),
            ToolEntry::of::<tools::host_counters::HostCounters>(),
            ToolEntry::of::<tools::ipsec_show::IpsecShow>(),
            ToolEntry::of::<tools::frr_show::FrrShow>(),
            ToolEntry::of_audit::<checks::KernelAudit>(),
        ])
        .prompts(prompts::all())
        .examples(examples::EXAMPLES)
        .allow(commands::ALLOW)
}
