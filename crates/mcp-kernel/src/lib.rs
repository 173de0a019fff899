//! The kernel layer of OVN-Kubernetes: netfilter and the host network.
//!
//! A tool is a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod commands;
mod tools;
mod types;

use mcp_core::Layer;

/// The tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        title: "Netfilter and host network",
        instructions: "",
        tools: Vec::new(),
        prompts: Vec::new(),
        completions: Vec::new(),
        documents: Vec::new(),
        allow: commands::ALLOW,
        private: mcp_core::argv::PrivateAllow::NONE,
    }
}
