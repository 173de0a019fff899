//! The Kubernetes and OVN-Kubernetes layer: objects, what OVN-Kubernetes wrote down on them, events and logs.
//!
//! A tool is a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod commands;
mod describe;
mod events;
mod log;
mod pods;
mod table;
mod tools;
mod types;
mod which;
mod yaml;

use mcp_core::{Described, Layer};

/// The tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        title: "Kubernetes and OVN-Kubernetes",
        instructions: "The objects of a cluster with OVN-Kubernetes, read-only, live or from a must-gather. Use kubectl_get for lists of \
                       any kind (short names as in kubectl: po, svc, netpol, eip, udn, cudn, anp, net-attach-def), \
                       kubectl_describe for one object with its conditions, its events and its OVN-Kubernetes annotations, \
                       kubectl_events for what happened, kubectl_logs and node_logs for what programs said. \
                       Secrets are never shown.",
        tools: vec![
            Described::of_cluster::<tools::kubectl_get::KubectlGet>(),
            Described::of_cluster::<tools::kubectl_describe::KubectlDescribe>(),
            Described::of_cluster::<tools::kubectl_events::KubectlEvents>(),
            Described::of_cluster::<tools::kubectl_logs::KubectlLogs>(),
            Described::of::<tools::node_logs::NodeLogs>(),
        ],
        prompts: Vec::new(),
        completions: Vec::new(),
        documents: Vec::new(),
        allow: commands::ALLOW,
        private: mcp_core::argv::PrivateAllow::NONE,
    }
}
