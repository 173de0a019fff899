//! Completions for the arguments of this layer's prompts.

use crate::flows;
use mcp_core::{Completer, Completion, Db, Node, ReadError, completion};

/// Returns the completions of this layer.
pub(crate) fn all() -> Vec<Completion> {
    vec![Completion::of::<DatapathCompleter>(), Completion::of::<TableCompleter>()]
}

/// Completes the name of a logical switch or router.
struct DatapathCompleter;

impl Completer for DatapathCompleter {
    const ARGUMENT: &'static str = "datapath";

    async fn values(node: &Node<'_>) -> Result<Vec<String>, ReadError> {
        let datapaths = flows::datapaths(node).await?;
        Ok(datapaths.iter().map(|datapath| datapath.name.clone()).filter(|name| !name.is_empty()).collect())
    }
}

/// Completes the name of a table of the northbound or southbound database.
struct TableCompleter;

impl Completer for TableCompleter {
    const ARGUMENT: &'static str = "table";

    async fn values(node: &Node<'_>) -> Result<Vec<String>, ReadError> {
        completion::tables(node, &[Db::Nb, Db::Sb]).await
    }
}
