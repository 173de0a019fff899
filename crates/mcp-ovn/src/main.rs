//! `mcp-ovn`: the OVN layer over MCP.

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_ovn::layer())
}
