//! Packets on the wire: captures on nodes and in pods, and what they say.
//!
//! Each tool has a file in `tools`, a line in [`layer`] and a case in `tests/cases`.

mod commands;
mod events;
mod examples;
mod format;
mod names;
mod nat;
mod point;
mod prompts;
mod report;
mod source;
mod tools;
mod types;

use mcp_core::{Layer, ToolEntry};

/// Returns the tools, prompts and commands of this layer.
pub fn layer() -> Layer {
    Layer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Packets on the wire")
        .instructions(
            "Captures packets on OVN-Kubernetes nodes and in pods, and says what happened to them. It changes nothing and \
             shows no payload. Traces and counters of the other servers cost the cluster nothing, so begin with them. \
             tcpdump_capture captures at several points at once and says at which one packets are lost; \
             tcpdump_analyze says more about a capture, or about a pcap file of a bundle. pwru_trace says \
             where the kernel of a node drops packets.",
        )
        .tools(vec![
            ToolEntry::of_cluster::<tools::tcpdump_capture::TcpdumpCapture>(),
            ToolEntry::of_cluster::<tools::tcpdump_analyze::TcpdumpAnalyze>(),
            ToolEntry::of::<tools::pwru_trace::PwruTrace>(),
        ])
        .prompts(prompts::all())
        .examples(examples::EXAMPLES)
        .allow(commands::ALLOW)
        .captures(format::PCAPNG)
}
