//! The prompts of this layer, which an engineer picks from a menu.

use mcp_core::{Prompt, PromptArgument};

/// Returns the prompts of this layer.
pub(crate) fn all() -> Vec<Prompt> {
    vec![triage_datapath(), compare_switches()]
}

fn triage_datapath() -> Prompt {
    Prompt {
        name: "triage_datapath",
        title: "Triage traffic in the Open vSwitch layer",
        description: "Finds out why Open vSwitch drops traffic, sends it to the wrong place or never receives it.",
        arguments: &[PromptArgument {
            name: "node_name",
            description: "the node to look at",
            required: true,
        }],
        text: "Find out what Open vSwitch on node {node_name} does with the traffic in question. Change nothing.\n\
               1. Call ovs_vsctl_show: does the port exist, without an error?\n\
               2. Call ovs_ofctl_dump_flows bridge=br-ex node_name=all: look for a flow that one node lacks.\n\
               3. Call ovs_appctl_ofproto_trace with from and to: which flow decides? ovn_detrace explains its cookie.\n\
               4. Call ovs_appctl_dpctl_dump_conntrack with the address: did the peer reply?\n\
               5. Call ovs_appctl_show subject=coverage delta_seconds=5: which drop counters grow while the traffic \
               fails?\n\
               Say which step shows the cause, quote the line that shows it, and say which data was not collected.\n",
    }
}

fn compare_switches() -> Prompt {
    Prompt {
        name: "compare_switches",
        title: "Compare the switches of all nodes",
        description: "Finds out how the switch of one node differs from the switches of the other nodes.",
        arguments: &[PromptArgument {
            name: "table",
            description: "a table of conf.db to compare, such as Interface",
            required: false,
        }],
        text: "Find out where the switches of the nodes differ although they should agree. Change nothing.\n\
               Table: {table}\n\
               1. Call ovs_vsctl_show node_name=all: look for a bridge, port or tunnel that one node lacks.\n\
               2. Call ovs_vsctl_list node_name=all table={table}: look for a different MTU, a link that is down, different options. Without a \
               table, compare Interface, then Open_vSwitch for ovn-* settings.\n\
               3. Call ovs_ofctl_dump_flows node_name=all bridge=br-ex: look for a flow that one node lacks, or that only one node has.\n\
               4. Call ovs_appctl_show node_name=all subject=tunnels: to which other nodes does each node have a tunnel?\n\
               Say which node differs and how, what that means for its traffic, and which data was not collected.\n",
    }
}
