//! Completion of prompt arguments while a user types.

use crate::{Db, Node, ReadError};
use futures::future::BoxFuture;
use std::collections::BTreeSet;

/// The values that a prompt argument of a layer can have. Core itself completes `node_name`.
pub trait Completer: Send + Sync + 'static {
    /// The name of the argument: `datapath`.
    const ARGUMENT: &'static str;

    /// Returns all values, read from the node that the prompt names or else from the first node. Core selects the
    /// values that match the typed text.
    fn values(node: &Node<'_>) -> impl Future<Output = Result<Vec<String>, ReadError>> + Send;
}

/// A completer without its type, as an entry in a layer's table.
pub struct Completion {
    pub(crate) argument: &'static str,
    pub(crate) values: ValuesFn,
}

/// [`Completer::values`], without its type.
type ValuesFn = for<'a> fn(&'a Node<'a>) -> BoxFuture<'a, Result<Vec<String>, ReadError>>;

impl Completion {
    /// Returns the table entry of a completer.
    pub fn of<C: Completer>() -> Self {
        Self { argument: C::ARGUMENT, values: |node| Box::pin(C::values(node)) }
    }
}

/// Returns the names of the tables in the schemas of the databases that can be read.
///
/// # Errors
///
/// Returns the error of the last database if none can be read.
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

/// Returns the values that start with the typed text, followed by the values that contain it elsewhere. Case does not
/// matter.
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
    fn values_with_the_typed_prefix_come_first() {
        let values = ["Address_Set", "Logical_Router", "Router_Port", "ACL"].map(String::from).to_vec();
        assert_eq!(fitting(values.clone(), "router"), ["Router_Port", "Logical_Router"]);
        assert_eq!(fitting(values.clone(), ""), values);
        assert!(fitting(values, "x").is_empty());
    }
}
