//! `mcp-kernel`: an MCP server for the kernel layer of OVN-Kubernetes (netfilter and the host network).

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_kernel::layer())
}
