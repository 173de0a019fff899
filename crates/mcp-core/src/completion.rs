//! Completion: what could stand in the blank of a prompt, while it is typed.

use crate::{Db, Node, ReadError};
use futures::future::BoxFuture;
use std::collections::BTreeSet;

/// What could stand in an argument that a layer's prompts have, beside `node_name`, which core completes.
pub trait Completer: Send + Sync + 'static {
    /// The name of the argument: `datapath`.
    const ARGUMENT: &'static str;

    /// All values, read from the node that the prompt names, or from the first. Core picks those that fit.
    fn values(node: &Node<'_>) -> impl Future<Output = Result<Vec<String>, ReadError>> + Send;
}

/// A completer without its type: a line of a layer's table.
pub struct Completion {
    pub(crate) argument: &'static str,
    pub(crate) values: Values,
}

/// [`Completer::values`], without its type.
type Values = for<'a> fn(&'a Node<'a>) -> BoxFuture<'a, Result<Vec<String>, ReadError>>;

impl Completion {
    /// A line of a layer's table.
    pub fn of<C: Completer>() -> Self {
        Self { argument: C::ARGUMENT, values: |node| Box::pin(C::values(node)) }
    }
}

/// The tables of databases, by their schemas: of those databases that can be read.
///
/// # Errors
/// That of the last, when none can be read.
pub async fn tables(node: &Node<'_>, databases: &[Db]) -> Result<Vec<String>, ReadError> {
    let (mut names, mut failed) = (BTreeSet::new(), None);
    for db in databases {
        match node.schema(*db).await {
            Ok(schema) => names.extend(schema.tables.iter().map(|table| table.name.to_string())),
            Err(e) => failed = Some(e),
        }
    }
    match failed {
        Some(e) if names.is_empty() => Err(e),
        _ => Ok(names.into_iter().collect()),
    }
}

/// Those that begin with what was typed, then those that hold it elsewhere; in any case of letters.
pub(crate) fn fitting(values: Vec<String>, typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let place = |value: &String| value.to_lowercase().find(&typed);
    let (begin, elsewhere): (Vec<_>, Vec<_>) =
        values.into_iter().filter(|value| place(value).is_some()).partition(|value| place(value) == Some(0));
    begin.into_iter().chain(elsewhere).collect()
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn what_begins_so_comes_first() {
        let values = ["Address_Set", "Logical_Router", "Router_Port", "ACL"].map(String::from).to_vec();
        assert_eq!(fitting(values.clone(), "router"), ["Router_Port", "Logical_Router"]);
        assert_eq!(fitting(values.clone(), ""), values);
        assert!(fitting(values, "x").is_empty());
    }
}
