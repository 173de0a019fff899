//! The states that OVN's daemons report.

use mcp_core::{Argv, CommandPlace, Node, ReadError, chain};

/// The state that a daemon reports.
pub(crate) enum DaemonState {
    /// The reported state.
    Reported(String),
    /// The state could not be read, with the reason.
    Failed(String),
    /// The source did not collect the state, with the reason or an empty text.
    NotCollected(String),
}

/// Reads the state of a daemon.
pub(crate) async fn daemon_state(node: &Node<'_>, place: CommandPlace, argv: &Argv) -> DaemonState {
    match node.command(place, argv).await {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let text = text.trim();
            DaemonState::Reported(text.strip_prefix("Status: ").unwrap_or(text).to_owned())
        }
        Err(ReadError::NotCollected { why, .. }) => DaemonState::NotCollected(why.unwrap_or_default()),
        Err(e) => DaemonState::Failed(chain(&e)),
    }
}
