//! What goes wrong between a client and an API server, where no real one could be made to do it on demand: a server of a few
//! lines, on a real socket. What a server does right is tested with the lab (`mcp-ovn/tests/cluster_lab`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on, fails")]

mod command;
mod log;
mod objects;
mod server;
mod trouble;
