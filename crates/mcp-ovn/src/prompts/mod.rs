//! Instructions for common investigations. Each one is a prompt for engineers and a skill for models.

use mcp_core::{Prompt, PromptArgument};

/// Returns the prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    PROMPTS.into()
}

const PROMPTS: [Prompt; 7] = [
    Prompt {
        name: "triage_connectivity",
        title: "Triage a connectivity problem in the OVN layer",
        description: "A pod cannot reach a destination, or cannot be reached: find out whether the cause is in \
                          OVN's databases, and in which zone.",
        arguments: &[
            PromptArgument::needed("source", "the client that cannot connect: namespace/pod, or an address"),
            PromptArgument::needed(
                "destination",
                "the destination that cannot be reached: namespace/pod, service, or address and port",
            ),
            PromptArgument::optional("since", "when the problem began, if known"),
        ],
        text: include_str!("triage_connectivity.md"),
    },
    Prompt {
        name: "triage_service",
        title: "Triage a service in the OVN layer",
        description: "A service (cluster IP, node port, load balancer) refuses connections, times out or fails \
                          intermittently: find out whether OVN's load balancers match Kubernetes in every zone.",
        arguments: &[
            PromptArgument::needed("client", "the client: namespace/pod"),
            PromptArgument::needed("service", "the service: namespace/name"),
            PromptArgument::optional("port", "the service's port"),
        ],
        text: include_str!("triage_service.md"),
    },
    Prompt {
        name: "triage_egress",
        title: "Triage traffic that leaves the cluster in the OVN layer",
        description: "A pod cannot reach a destination outside the cluster, or its traffic arrives there with the \
                          wrong source address (EgressIP, EgressService, egress firewall, gateway): find out which path \
                          OVN uses.",
        arguments: &[
            PromptArgument::needed("pod", "the pod that sends the traffic: namespace/pod"),
            PromptArgument::needed("destination", "the external address"),
            PromptArgument::optional("source_address", "the expected source address, such as an EgressIP"),
        ],
        text: include_str!("triage_egress.md"),
    },
    Prompt {
        name: "triage_network_policy",
        title: "Triage network policies in the OVN layer",
        description: "A connection is unexpectedly denied or allowed (NetworkPolicy, AdminNetworkPolicy, \
                          EgressFirewall): find the ACL that decides and the policy behind it.",
        arguments: &[
            PromptArgument::needed("source", "the client: namespace/pod"),
            PromptArgument::needed("destination", "the destination: namespace/pod or address"),
            PromptArgument::optional("port", "the destination port"),
        ],
        text: include_str!("triage_network_policy.md"),
    },
    Prompt {
        name: "triage_configuration",
        title: "Triage configuration that is not in force",
        description: "A pod, service or policy was created or changed, but the change has no effect on a node: find \
                          out at which step between the northbound database and the flows it stopped.",
        arguments: &[
            PromptArgument::needed("node_name", "the node where the change is not in force"),
            PromptArgument::optional("what", "the kind and name of the object"),
        ],
        text: include_str!("triage_configuration.md"),
    },
    Prompt {
        name: "explain_datapath",
        title: "Explain a logical switch or router",
        description: "Explain what a logical switch or router connects and decides, from its rows and its flows.",
        arguments: &[
            PromptArgument::needed("node_name", "the node whose zone has the switch or router"),
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
        description: "One node behaves differently from the others: find the rows in which its zone differs.",
        arguments: &[PromptArgument::optional("table", "a table of the northbound or southbound database")],
        text: include_str!("compare_zones.md"),
    },
];
