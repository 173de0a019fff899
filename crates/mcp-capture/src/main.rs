//! `mcp-capture`: an MCP server for packets on the wire.

fn main() -> std::process::ExitCode {
    mcp_core::main(mcp_capture::layer())
}
