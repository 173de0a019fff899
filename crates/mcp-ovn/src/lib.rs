//! The OVN layer: the northbound and southbound databases of each node's zone, and the daemons between them.
//!
//! Each tool has a file in `tools`, a line in [`layer`] and at least one case in `tests/cases`.

mod checks;
mod commands;
mod compare;
mod completions;
mod daemon;
mod documents;
mod examples;
mod flows;
mod history;
mod origins;
mod prompts;
mod records;
mod status_lines;
mod tools;
mod trace;
mod types;

use mcp_core::{Layer, ToolEntry};

/// Returns this layer: its tools, prompts and commands.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "OVN databases and daemons")
        .instructions("Shows the OVN databases and daemons of OVN-Kubernetes, and changes nothing. In interconnect mode, each node is a zone with \
                       its own northbound and southbound database: name one node, or compare all nodes with \
                       node_name=all. Begin with ovn_db_status, which tells whether the configuration is in force. Then \
                       use ovn_nbctl_show for the topology, and ovn_nbctl_list and ovn_sbctl_list for rows. ovn_trace \
                       shows what OVN does with a packet, ovn_sbctl_lflow_list lists logical flows, and ovn_detrace \
                       shows the logical flow and the northbound row behind an OpenFlow flow.")
        .tools(vec![
            ToolEntry::of::<tools::ovn_nbctl_show::NbctlShow>(),
            ToolEntry::of::<tools::ovn_sbctl_show::SbctlShow>(),
            ToolEntry::of::<tools::ovn_nbctl_list::NbctlList>(),
            ToolEntry::of::<tools::ovn_sbctl_list::SbctlList>(),
            ToolEntry::of::<tools::ovn_sbctl_lflow_list::LflowList>(),
            ToolEntry::of::<tools::ovn_trace::Trace>(),
            ToolEntry::of::<tools::ovn_detrace::Detrace>(),
            ToolEntry::of::<tools::ovn_db_status::DbStatus>(),
            ToolEntry::of::<tools::ovn_controller_ct_zone_list::CtZoneList>(),
            ToolEntry::of_audit::<checks::OvnAudit>(),
        ])
        .prompts(prompts::all())
        .completions(completions::all())
        .documents(documents::all())
        .examples(examples::EXAMPLES)
        .allow(commands::ALLOW)
}
