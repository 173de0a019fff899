//! The Kubernetes and OVN-Kubernetes layer: objects, events, logs, and the OVN entities of pods, services and
//! addresses.
//!
//! A tool consists of a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod checks;
mod commands;
mod describe;
mod events;
mod examples;
mod file_search;
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod locate;
mod log;
mod nodes;
mod overview;
mod pods;
mod prompts;
mod selectors;
mod table;
mod tools;
mod types;
mod which;

use mcp_core::{Layer, ToolEntry};

/// Returns the tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Kubernetes and OVN-Kubernetes")
        .instructions("Reads a cluster with OVN-Kubernetes, live or from bundles, and changes nothing. Begin with \
                       cluster_overview. Then call ovnkube_locate for the pod, service, node or address in question: it \
                       shows the names that the tools of the other servers take as parameters. Use kubectl_get to list \
                       objects of any kind (short names as in kubectl: po, svc, netpol, eip, udn, cudn, anp, \
                       net-attach-def), kubectl_describe for one object with its events and annotations, kubectl_events \
                       for events, kubectl_logs and node_logs with digest=true for logs, and bundle_files for any other \
                       file of a bundle. Secrets are never shown.")
        .tools(vec![
            ToolEntry::of_cluster::<tools::cluster_overview::ClusterOverview>(),
            ToolEntry::of_cluster::<tools::kubectl_get::KubectlGet>(),
            ToolEntry::of_cluster::<tools::kubectl_describe::KubectlDescribe>(),
            ToolEntry::of_cluster::<tools::kubectl_events::KubectlEvents>(),
            ToolEntry::of_cluster::<tools::kubectl_logs::KubectlLogs>(),
            ToolEntry::of::<tools::node_logs::NodeLogs>(),
            ToolEntry::of_cluster::<tools::ovnkube_locate::OvnkubeLocate>(),
            ToolEntry::of_cluster::<tools::bundle_files::BundleFiles>(),
            ToolEntry::of_audit::<checks::K8sAudit>(),
        ])
        .prompts(prompts::all())
        .examples(examples::EXAMPLES)
        .allow(commands::ALLOW)
}
