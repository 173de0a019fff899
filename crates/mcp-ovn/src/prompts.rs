//! What an engineer asks for again and again.

use mcp_core::{Prompt, PromptArgument};

/// The prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![Prompt {
        name: "triage_connectivity",
        title: "Triage of a connectivity complaint in the OVN layer",
        description: "A pod cannot reach something, or nobody can reach it: find out whether the cause is in OVN's \
                      databases, and in which zone.",
        arguments: &[
            PromptArgument {
                name: "source",
                description: "who cannot connect: namespace/pod, or an address",
                required: true,
            },
            PromptArgument {
                name: "destination",
                description: "what cannot be reached: namespace/pod, service, or address and port",
                required: true,
            },
            PromptArgument { name: "since", description: "since when, if it is known", required: false },
        ],
        text: "Connectivity complaint in an OVN-Kubernetes cluster.\n\
               Source: {source}\nDestination: {destination}\nSince: {since}\n\n\
               Find out whether OVN's databases hold the cause. Work in this order, and stop where the evidence is \
               clear. Quote the rows that show it, with the node they came from.\n\n\
               1. ovn_db_status node_name=all. A zone whose configuration lags, or whose ovn-northd or ovn-controller \
               is not connected, is a finding: what its northbound database says is not in force there.\n\
               2. The source: ovn_nbctl_list table=Logical_Switch_Port pod=<namespace/pod> record=<namespace/pod>. \
               It must exist once, have one address, and `up` must be true. The answer says on which node it is. The \
               same for a destination pod. An address that two ports have is a finding \
               (grep=<address> node_name=all).\n\
               3. Both ends on different nodes: ovn_nbctl_list node_name=all table=Logical_Switch_Port of=transit_switch \
               (tunnel keys), then table=Logical_Router_Static_Route of=ovn_cluster_router (a route to each other \
               node's subnet), then ovn_sbctl_show node_name=all (every zone must know every chassis, with the \
               right tunnel address).\n\
               4. A service: ovn_nbctl_list table=Load_Balancer grep=<namespace/service> on the source's node: the \
               virtual IP must be there with the endpoints that Kubernetes lists; no endpoint and reject=true means a \
               reset at once. Then node_name=all: a backend that one node lacks is a finding.\n\
               5. A policy: ovn_nbctl_list table=Port_Group grep=<namespace>, then table=ACL of=<port group>: which \
               ACL drops, which allows, and is the other end in the address set that it names \
               (table=Address_Set record=<name>, without the $)? Compare address sets with node_name=all.\n\
               6. Out of the cluster: table=NAT and table=Logical_Router_Static_Route of=GR_<node>, and \
               table=Logical_Router_Policy of=ovn_cluster_router (egress IPs reroute at priority 100).\n\
               7. What OVN would do with the packet, on a live node: ovn_trace from=<namespace/pod> to=<destination> \
               protocol=<tcp or udp> port=<port>; then ovn_sbctl_lflow_list or ovn_detrace for the flow that drops it.\n\
               8. What changed: ovn_db_status history=nb on the node in question, since=<time>, grep=<name>.\n\n\
               If all of this is sound, say so, and say what the OVN databases cannot show: whether the flows are \
               installed in Open vSwitch, and what the host's netfilter and routes do.",
    }]
}
