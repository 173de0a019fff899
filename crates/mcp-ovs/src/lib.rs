//! The Open vSwitch layer of OVN-Kubernetes.
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
        title: "Open vSwitch",
        instructions: "",
        tools: Vec::new(),
        prompts: Vec::new(),
        completions: Vec::new(),
        documents: Vec::new(),
        allow: commands::ALLOW,
        private: commands::PRIVATE,
    }
}
