//! The program `mcp-ovs`, which serves the Open vSwitch layer of OVN-Kubernetes over MCP.

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_ovs::layer())
}
