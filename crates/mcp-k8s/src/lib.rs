//! The Kubernetes and OVN-Kubernetes layer.
//!
//! A tool is a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod commands;
mod locate;
mod log;
mod nodes;
mod overview;
mod pods;
mod prompts;
mod tools;
mod types;

use mcp_core::{Described, Layer};

/// The tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        title: "Kubernetes and OVN-Kubernetes",
        instructions: "",
        tools: vec![
            Described::of_cluster::<tools::cluster_overview::ClusterOverview>(),
            Described::of_cluster::<tools::kubectl_logs::KubectlLogs>(),
            Described::of::<tools::node_logs::NodeLogs>(),
            Described::of_cluster::<tools::ovnkube_locate::OvnkubeLocate>(),
        ],
        prompts: prompts::all(),
        completions: Vec::new(),
        documents: Vec::new(),
        allow: commands::ALLOW,
    }
}
