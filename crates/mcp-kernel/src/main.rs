//! `mcp-kernel`: the kernel layer of OVN-Kubernetes: netfilter and the host network, over MCP.

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_kernel::layer())
}
