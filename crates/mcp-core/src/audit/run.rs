//! Running the checks.

use super::{Check, Outcome, Source};
use crate::{Cluster, ReadError, ToolError};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};

/// A check without its type: a line of a layer's table.
pub struct CheckEntry {
    /// [`Check::ID`].
    pub id: &'static str,
    /// [`Check::TITLE`].
    pub title: &'static str,
    /// [`Check::READS`].
    pub reads: &'static str,
    /// [`Check::SOURCES`].
    pub sources: &'static [Source],
    run: Run,
}

/// A check's work, without its type.
type Run = Box<dyn for<'a, 'b> Fn(&'a Cluster<'b>) -> Running<'a> + Send + Sync>;

/// What a check says, in the making.
type Running<'a> = BoxFuture<'a, Result<Outcome, ToolError>>;

impl CheckEntry {
    /// A line of a layer's table.
    pub fn of<C: Check>() -> Self {
        Self {
            id: C::ID,
            title: C::TITLE,
            reads: C::READS,
            sources: C::SOURCES,
            run: Box::new(|cluster| Box::pin(C::run(cluster))),
        }
    }
}

/// A check and what came of it.
pub(super) type Ran<'c> = (&'c CheckEntry, Result<Outcome, ToolError>);

/// Runs checks, a few at once. One that takes longer than the call may has not been made, and keeps no other from
/// being made.
pub(super) async fn all<'c>(cluster: &Cluster<'_>, checks: &'c [CheckEntry]) -> Vec<Ran<'c>> {
    /// Each asks many nodes at once.
    const AT_ONCE: usize = 4;
    let running: Vec<BoxFuture<'_, Ran<'c>>> =
        checks.iter().map(|check| bounded(cluster, check).boxed()).collect();
    stream::iter(running).buffered(AT_ONCE).collect().await
}

async fn bounded<'c>(cluster: &Cluster<'_>, check: &'c CheckEntry) -> Ran<'c> {
    let late = ReadError::TooLate { what: check.reads.into(), seconds: cluster.within().as_secs() };
    let outcome = tokio::time::timeout(cluster.within(), (check.run)(cluster)).await;
    (check, outcome.unwrap_or(Err(late.into())))
}
