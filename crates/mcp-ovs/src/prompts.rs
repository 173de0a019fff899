//! What an engineer picks from a menu.

use mcp_core::{Prompt, PromptArgument};

/// The prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![triage_datapath(), compare_switches()]
}

fn triage_datapath() -> Prompt {
    Prompt {
        name: "triage_datapath",
        title: "What does the switch do with this traffic?",
        description: "Traffic that Open vSwitch drops, sends elsewhere or never sees.",
        arguments: &[PromptArgument { name: "node_name", description: "the node", required: true }],
        text: "On node {node_name}, read-only:\n\
               1. ovs_vsctl_show: is the port there, without an error?\n\
               2. ovs_ofctl_dump_flows bridge=br-ex node_name=all: a flow that one node lacks stands out.\n\
               3. ovs_appctl_ofproto_trace from and to: which flow decides? ovn_detrace names what is behind its cookie.\n\
               4. ovs_appctl_dpctl_dump_conntrack with the address: is there an answer?\n\
               5. ovs_appctl_show subject=coverage delta_seconds=5: which drops grow while it fails?\n\
               Say which of these decides, with the line that shows it, and what was not collected.\n",
    }
}

fn compare_switches() -> Prompt {
    Prompt {
        name: "compare_switches",
        title: "Compare the switches",
        description: "One node behaves differently from the others: find where its switch is made differently.",
        arguments: &[PromptArgument {
            name: "table",
            description: "a table of conf.db, such as Interface",
            required: false,
        }],
        text: "Find out in which way the switches of the nodes differ where they should agree, read-only.\n\
               Table: {table}\n\
               1. ovs_vsctl_show node_name=all: a bridge, port or tunnel that one node lacks.\n\
               2. ovs_vsctl_list node_name=all table={table}: another MTU, a link that is down, other options; without a \
               table Interface, then Open_vSwitch for ovn-* settings.\n\
               3. ovs_ofctl_dump_flows node_name=all bridge=br-ex: a flow that one node lacks, or has alone.\n\
               4. ovs_appctl_show node_name=all subject=tunnels: which other nodes does each know?\n\
               Say which node is alone with what, what that means for its traffic, and what was not collected.\n",
    }
}
