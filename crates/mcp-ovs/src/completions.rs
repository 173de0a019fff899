//! What can stand in the arguments of this layer's prompts.

use crate::commands;
use mcp_core::{Completer, Completion, Db, Node, ReadError, completion};

/// The completions of this layer.
pub(crate) fn all() -> Vec<Completion> {
    vec![Completion::of::<Table>()]
}

/// A table of the switch's database; where that was not collected, of what reports have of it.
struct Table;

impl Completer for Table {
    const ARGUMENT: &'static str = "table";

    async fn values(node: &Node<'_>) -> Result<Vec<String>, ReadError> {
        match completion::tables(node, &[Db::OpenVSwitch]).await {
            Err(ReadError::NotCollected { .. }) => Ok(commands::LISTED.map(String::from).to_vec()),
            read => read,
        }
    }
}
