//! The completions for the arguments of this layer's prompts.

use crate::commands;
use mcp_core::{Completer, Completion, Db, Node, ReadError, completion};

/// Returns the completions of this layer.
pub(crate) fn all() -> Vec<Completion> {
    vec![Completion::of::<Table>()]
}

/// A table of the switch's database. If the database was not collected, the tables are those that reports list.
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
