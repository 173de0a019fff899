//! `mcp-k8s`: the Kubernetes and OVN-Kubernetes layer, over MCP.

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_k8s::layer())
}
