//! The kernel layer of OVN-Kubernetes: netfilter and the host network.
//!
//! A tool is a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod checks;
mod commands;
mod compare;
mod connections;
mod counter;
mod output;
mod prompts;
mod secrets;
mod tools;
mod types;
mod way;

use mcp_core::{Described, Layer};

/// The tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Netfilter and host network")
        .instructions("The kernel of a node of OVN-Kubernetes, read-only: routes and rules, netfilter, connections, \
                       sockets, IPsec, FRR. Name a node, a pod (its network namespace), or compare all nodes with \
                       node_name=all: a foreign rule, another MTU, a missing route stands out. Begin with ip_rule_show \
                       and ip_route_show for where packets go, nft_list_ruleset for what is translated or dropped, \
                       conntrack_list for what became of a connection, host_counters for what is lost.")
        .tools(vec![
            Described::of::<tools::ip_addr_show::AddrShow>(),
            Described::of::<tools::ip_link_show::LinkShow>(),
            Described::of::<tools::ip_route_show::RouteShow>(),
            Described::of::<tools::ip_rule_show::RuleShow>(),
            Described::of::<tools::ip_neigh_show::NeighShow>(),
            Described::of::<tools::ip_xfrm_show::XfrmShow>(),
            Described::of::<tools::nft_list_ruleset::ListRuleset>(),
            Described::of::<tools::iptables_save::Save>(),
            Described::of::<tools::conntrack_list::List>(),
            Described::of::<tools::conntrack_events::Events>(),
            Described::of::<tools::ss_show::Show>(),
            Described::of::<tools::host_counters::HostCounters>(),
            Described::of::<tools::ipsec_show::IpsecShow>(),
            Described::of::<tools::frr_show::FrrShow>(),
            Described::of_audit::<checks::KernelAudit>(),
        ])
        .prompts(prompts::all())
        .allow(commands::ALLOW)
}
