//! The prompts that an engineer selects from a menu.

use mcp_core::{Prompt, PromptArgument};

/// Returns the prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![Prompt {
        name: "triage_host_network",
        title: "What does the host do with this traffic?",
        description: "Follows traffic through the kernel of a node: routes, rules, netfilter, connections.",
        arguments: &[PromptArgument { name: "node_name", description: "name of the node", required: true }],
        text: "Find out what the kernel of node {node_name} does with the traffic in question. Change nothing.\n\
               1. Call ip_link_show with node_name=all. Is an interface down, or does it have a different MTU?\n\
               2. Call ip_rule_show and ip_route_show with node_name=all. Is a rule foreign or missing? \
               Is there a blackhole route?\n\
               3. Call ip_neigh_show. Does the next hop answer?\n\
               4. Call nft_list_ruleset and iptables_save with the address or port in question. \
               Which rule counts packets?\n\
               5. Call conntrack_list with the address. Is there a reply, and in which zone?\n\
               6. Call host_counters with delta_seconds=5. Which counter grows while the traffic fails?\n\
               Say which of these causes the fault, quote the line that shows it, and say which data was not \
               collected.\n",
    }]
}
