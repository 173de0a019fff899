//! What an engineer picks from a menu.

use mcp_core::{Prompt, PromptArgument};

/// The prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![Prompt {
        name: "triage_host_network",
        title: "What does the host do with this traffic?",
        description: "Traffic that leaves or enters a node through its kernel: routes, rules, netfilter, connections.",
        arguments: &[PromptArgument { name: "node_name", description: "the node", required: true }],
        text: "On node {node_name}, read-only:\n\
               1. ip_link_show with node_name=all: an interface that is down or has another MTU stands out.\n\
               2. ip_rule_show and ip_route_show with node_name=all: a foreign or missing rule, a blackhole.\n\
               3. ip_neigh_show: is the next hop reached?\n\
               4. nft_list_ruleset and iptables_save with the address or port in question: which rule counts?\n\
               5. conntrack_list with the address: is there an answer, and in which zone?\n\
               6. host_counters with delta_seconds=5: what grows while it fails?\n\
               Say which of these decides, with the line that shows it, and what was not collected.\n",
    }]
}
