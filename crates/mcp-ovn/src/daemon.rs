//! What OVN's daemons say of themselves.

use mcp_core::{Argv, Node, Place, ReadError, chain};

/// What a daemon says of itself.
pub(crate) enum Said {
    /// This.
    Is(String),
    /// It was asked and gave no answer: why.
    Nothing(String),
    /// The source has no answer of it: why, or an empty text.
    NotCollected(String),
}

/// Asks a daemon how it is.
pub(crate) async fn said(node: &Node<'_>, place: Place, argv: &Argv) -> Said {
    match node.command(place, argv).await {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let text = text.trim();
            Said::Is(text.strip_prefix("Status: ").unwrap_or(text).to_owned())
        }
        Err(ReadError::NotCollected { why, .. }) => Said::NotCollected(why.unwrap_or_default()),
        Err(e) => Said::Nothing(chain(&e)),
    }
}
