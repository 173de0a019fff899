//! The Open vSwitch layer: the switch of each node, its OpenFlow flows, its datapath and its tracked connections.
//!
//! Each tool has a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod checks;
mod commands;
mod compare;
mod completions;
mod examples;
mod flows;
mod prompts;
mod records;
mod subjects;
mod switch;
mod tools;
mod trace;
mod types;

use mcp_core::{Layer, ToolEntry};

/// Returns the tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Open vSwitch")
        .instructions("Shows Open vSwitch on the nodes of OVN-Kubernetes, and changes nothing. ovn-controller manages br-int, and \
                       OVN-Kubernetes manages br-ex. Name a node, or compare all nodes with node_name=all. Begin with \
                       ovs_vsctl_show. Then trace a packet with ovs_appctl_ofproto_trace, and list flows with \
                       ovs_ofctl_dump_flows. The datapath's flows and connections show what happened to real traffic, and \
                       ovs_appctl_show shows counters and tunnels.")
        .tools(vec![
            ToolEntry::of::<tools::ovs_vsctl_show::VsctlShow>(),
            ToolEntry::of::<tools::ovs_vsctl_list::VsctlList>(),
            ToolEntry::of::<tools::ovs_ofctl_dump_flows::DumpFlows>(),
            ToolEntry::of::<tools::ovs_ofctl_show::OfctlShow>(),
            ToolEntry::of::<tools::ovs_appctl_dpctl_dump_flows::DatapathFlows>(),
            ToolEntry::of::<tools::ovs_appctl_dpctl_dump_conntrack::Conntrack>(),
            ToolEntry::of::<tools::ovs_appctl_ofproto_trace::OfprotoTrace>(),
            ToolEntry::of::<tools::ovs_appctl_show::AppctlShow>(),
            ToolEntry::of::<tools::retis_capture::RetisCapture>(),
            ToolEntry::of_audit::<checks::OvsAudit>(),
        ])
        .prompts(prompts::all())
        .completions(completions::all())
        .examples(examples::EXAMPLES)
        .allow(commands::ALLOW)
}
