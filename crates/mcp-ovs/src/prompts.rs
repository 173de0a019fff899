//! What an engineer picks from a menu.

use mcp_core::{Prompt, PromptArgument};

/// The prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![Prompt {
        name: "triage_datapath",
        title: "What does the switch do with this traffic?",
        description: "Traffic that Open vSwitch drops, sends elsewhere or never sees.",
        arguments: &[PromptArgument { name: "node_name", description: "the node", required: true }],
        text: "On node {node_name}, read-only:\n\
               1. `ovs_vsctl_show`: is the port there, without an error?\n\
               2. `ovs_ofctl_dump_flows` bridge=br-ex node_name=all: a flow that one node lacks stands out.\n\
               3. `ovs_appctl_ofproto_trace` from and to: which flow decides? `ovn_detrace` names what is behind its cookie.\n\
               4. `ovs_appctl_dpctl_dump_conntrack` with the address: is there an answer?\n\
               5. `ovs_appctl_show` subject=coverage delta_seconds=5: which drops grow while it fails?\n\
               Say which of these decides, with the line that shows it, and what was not collected.\n",
    }]
}
