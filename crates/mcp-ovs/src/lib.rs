//! The Open vSwitch layer: the switch of each node, its OpenFlow flows, its datapath and the connections in it.
//!
//! A tool is a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod checks;
mod commands;
mod compare;
mod completions;
mod flows;
mod prompts;
mod records;
mod subjects;
mod switch;
mod tools;
mod trace;
mod types;

use mcp_core::{Described, Layer};

/// The tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Open vSwitch")
        .instructions("Open vSwitch on the nodes of OVN-Kubernetes, read-only: br-int is ovn-controller's, br-ex \
                       OVN-Kubernetes'. Name a node, or compare all with node_name=all. Begin with ovs_vsctl_show, then \
                       follow a packet with ovs_appctl_ofproto_trace, flows with ovs_ofctl_dump_flows, and what really \
                       happened with the datapath's flows and connections; ovs_appctl_show tells counters and tunnels.")
        .tools(vec![
            Described::of::<tools::ovs_vsctl_show::VsctlShow>(),
            Described::of::<tools::ovs_vsctl_list::VsctlList>(),
            Described::of::<tools::ovs_ofctl_dump_flows::DumpFlows>(),
            Described::of::<tools::ovs_ofctl_show::OfctlShow>(),
            Described::of::<tools::ovs_appctl_dpctl_dump_flows::DatapathFlows>(),
            Described::of::<tools::ovs_appctl_dpctl_dump_conntrack::Conntrack>(),
            Described::of::<tools::ovs_appctl_ofproto_trace::OfprotoTrace>(),
            Described::of::<tools::ovs_appctl_show::AppctlShow>(),
            Described::of_audit::<checks::OvsAudit>(),
        ])
        .prompts(prompts::all())
        .completions(completions::all())
        .allow(commands::ALLOW)
}
