//! The MCP server `mcp-ovn`, which serves the OVN layer.

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_ovn::layer())
}
