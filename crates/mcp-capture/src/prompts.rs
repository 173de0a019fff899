//! The prompts that an engineer selects from a menu.

use mcp_core::{Prompt, PromptArgument};

/// Returns the prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![Prompt {
        name: "find_packet_loss",
        title: "Where are the packets lost?",
        description: "Captures the packets of a connection at each point of its path, and finds the point that they do not \
                      reach.",
        arguments: &[
            PromptArgument {
                name: "from",
                description: "the pod that sends, as namespace/name",
                required: true,
            },
            PromptArgument { name: "to", description: "the address that it sends to", required: true },
        ],
        text: "Find out where the packets from pod {from} to {to} are lost. Change nothing.\n\
               1. Make sure that traces (ovn_trace, ovs_appctl_ofproto_trace) and counters do not explain the loss \
               already, because a capture costs the node time.\n\
               2. Ask the engineer to repeat the failing request while the capture runs.\n\
               3. Call tcpdump_capture with at=[pod {from}, node NODE UPLINK, …] for the nodes of the sender and the \
               receiver, the pod that receives, and a filter for {to}. On an uplink, the packets of a tunnel match \
               `udp port 6081`.\n\
               4. If the filter hides one side of a translation, capture again with a wider filter.\n\
               5. Call tcpdump_analyze with the id of the capture and packets=true for the connection that fails.\n\
               Say which point the packets reach last, quote the line that shows it, and name the tool that shows \
               the next hop.\n",
    }]
}
