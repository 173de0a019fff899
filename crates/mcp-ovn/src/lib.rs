//! The OVN layer: the northbound and southbound databases of each node's zone, and the daemons between them.
//!
//! A tool is a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod checks;
mod commands;
mod compare;
mod completions;
mod daemon;
mod documents;
mod flows;
mod history;
mod origins;
mod prompts;
mod records;
mod tools;
mod trace;
mod types;

use mcp_core::{Described, Layer};

/// The tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "OVN databases and daemons")
        .instructions("OVN as OVN-Kubernetes uses it, read-only. In interconnect mode each node is a zone with its own \
                       northbound and southbound database: name a node, or compare all with node_name=all. Begin \
                       with ovn_db_status (is what was asked for in force?), then ovn_nbctl_show for the topology, \
                       ovn_nbctl_list and ovn_sbctl_list for rows; ovn_trace and ovn_sbctl_lflow_list tell what \
                       flows do with a packet, ovn_detrace where a flow comes from.")
        .tools(vec![
            Described::of::<tools::ovn_nbctl_show::NbctlShow>(),
            Described::of::<tools::ovn_sbctl_show::SbctlShow>(),
            Described::of::<tools::ovn_nbctl_list::NbctlList>(),
            Described::of::<tools::ovn_sbctl_list::SbctlList>(),
            Described::of::<tools::ovn_sbctl_lflow_list::LflowList>(),
            Described::of::<tools::ovn_trace::Trace>(),
            Described::of::<tools::ovn_detrace::Detrace>(),
            Described::of::<tools::ovn_db_status::DbStatus>(),
            Described::of::<tools::ovn_controller_ct_zone_list::CtZoneList>(),
            Described::of_audit::<checks::OvnAudit>(),
        ])
        .prompts(prompts::all())
        .completions(completions::all())
        .documents(documents::all())
        .allow(commands::ALLOW)
}
