//! What an engineer asks for again and again: a prompt for the engineer, a skill for the model.

use mcp_core::{Prompt, PromptArgument};

/// The prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    PROMPTS.into()
}

const PROMPTS: [Prompt; 7] = [
    Prompt {
        name: "triage_connectivity",
        title: "Triage of a connectivity complaint in the OVN layer",
        description: "A pod cannot reach something, or nobody can reach it: find out whether the cause is in OVN's \
                          databases, and in which zone.",
        arguments: &[
            PromptArgument::needed("source", "who cannot connect: namespace/pod, or an address"),
            PromptArgument::needed(
                "destination",
                "what cannot be reached: namespace/pod, service, or address and port",
            ),
            PromptArgument::optional("since", "since when, if it is known"),
        ],
        text: include_str!("triage_connectivity.md"),
    },
    Prompt {
        name: "triage_service",
        title: "Triage of a service in the OVN layer",
        description: "A service (cluster IP, node port, load balancer) refuses, times out or fails now and then: find \
                          out whether OVN's load balancers are what Kubernetes wants, in every zone.",
        arguments: &[
            PromptArgument::needed("client", "who asks: namespace/pod"),
            PromptArgument::needed("service", "the service: namespace/name"),
            PromptArgument::optional("port", "the service's port"),
        ],
        text: include_str!("triage_service.md"),
    },
    Prompt {
        name: "triage_egress",
        title: "Triage of traffic that leaves the cluster, in the OVN layer",
        description: "A pod cannot reach what is outside the cluster, or arrives there with the wrong address \
                          (EgressIP, EgressService, egress firewall, gateway): find out which way OVN sends it.",
        arguments: &[
            PromptArgument::needed("pod", "who leaves: namespace/pod"),
            PromptArgument::needed("destination", "the address outside"),
            PromptArgument::optional(
                "source_address",
                "the address it should have there, such as its EgressIP",
            ),
        ],
        text: include_str!("triage_egress.md"),
    },
    Prompt {
        name: "triage_network_policy",
        title: "Triage of network policies in the OVN layer",
        description: "A connection is denied or allowed against expectation (NetworkPolicy, AdminNetworkPolicy, \
                          EgressFirewall): find the ACL that decides and the policy behind it.",
        arguments: &[
            PromptArgument::needed("source", "who connects: namespace/pod"),
            PromptArgument::needed("destination", "to whom: namespace/pod or address"),
            PromptArgument::optional("port", "the port"),
        ],
        text: include_str!("triage_network_policy.md"),
    },
    Prompt {
        name: "triage_configuration",
        title: "Is what was asked for in force?",
        description: "A pod, service or policy was made or changed and nothing happened on a node: find out where on \
                          the way from the northbound database to the flows it stopped.",
        arguments: &[
            PromptArgument::needed("node_name", "the node on which it is not in force"),
            PromptArgument::optional("what", "the object: its kind and name"),
        ],
        text: include_str!("triage_configuration.md"),
    },
    Prompt {
        name: "explain_datapath",
        title: "Explain a logical switch or router",
        description: "What a logical switch or router connects and decides, from its rows and its flows.",
        arguments: &[
            PromptArgument::needed("node_name", "the node whose zone is meant"),
            PromptArgument::needed(
                "datapath",
                "the switch or router: ovn_cluster_router, GR_<node>, join, <node>",
            ),
        ],
        text: include_str!("explain_datapath.md"),
    },
    Prompt {
        name: "compare_zones",
        title: "Compare the zones",
        description: "One node behaves differently from the others: find the rows in which its zone differs from theirs.",
        arguments: &[PromptArgument::optional("table", "a table of the northbound or southbound database")],
        text: include_str!("compare_zones.md"),
    },
];
