//! What can stand in the arguments of this layer's prompts.

use crate::flows;
use mcp_core::{Completer, Completion, Db, Node, ReadError, completion};

/// The completions of this layer.
pub(crate) fn all() -> Vec<Completion> {
    vec![Completion::of::<Datapath>(), Completion::of::<Table>()]
}

/// The name of a logical switch or router.
struct Datapath;

impl Completer for Datapath {
    const ARGUMENT: &'static str = "datapath";

    async fn values(node: &Node<'_>) -> Result<Vec<String>, ReadError> {
        let datapaths = flows::datapaths(node).await?;
        Ok(datapaths.iter().map(|datapath| datapath.name.clone()).filter(|name| !name.is_empty()).collect())
    }
}

/// A table of the databases of a zone.
struct Table;

impl Completer for Table {
    const ARGUMENT: &'static str = "table";

    async fn values(node: &Node<'_>) -> Result<Vec<String>, ReadError> {
        completion::tables(node, &[Db::Nb, Db::Sb]).await
    }
}
