//! Tests errors between a client and an API server that no real server produces on demand, with a small test server on
//! a real socket. The lab tests a server that works (`mcp-ovn/tests/cluster_lab`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on, fails")]

mod command;
mod log;
mod objects;
mod server;
mod trouble;
