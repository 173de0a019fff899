//! Runs the checks.

use super::{Check, CheckOutcome, Source};
use crate::{ClusterReader, ReadError, ToolError};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};

/// A check without its type, as a line in a layer's table of checks.
pub struct CheckEntry {
    /// [`Check::ID`].
    pub id: &'static str,
    /// [`Check::TITLE`].
    pub title: &'static str,
    /// [`Check::READS`].
    pub reads: &'static str,
    /// [`Check::SOURCES`].
    pub sources: &'static [Source],
    run: CheckFn,
}

/// [`Check::run`] without the type of the check.
type CheckFn = Box<dyn for<'a, 'b> Fn(&'a ClusterReader<'b>) -> CheckFuture<'a> + Send + Sync>;

/// The future of [`Check::run`].
type CheckFuture<'a> = BoxFuture<'a, Result<CheckOutcome, ToolError>>;

impl CheckEntry {
    /// The entry of a check.
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

/// A check and its result.
pub(super) type CheckResult<'c> = (&'c CheckEntry, Result<CheckOutcome, ToolError>);

/// Runs the checks, a few at once. A check that exceeds the time of the call fails alone; the other checks still run.
pub(super) async fn all<'c>(cluster: &ClusterReader<'_>, checks: &'c [CheckEntry]) -> Vec<CheckResult<'c>> {
    /// Each check itself already reads many nodes at once.
    const AT_ONCE: usize = 4;
    let running: Vec<BoxFuture<'_, CheckResult<'c>>> =
        checks.iter().map(|check| bounded(cluster, check).boxed()).collect();
    stream::iter(running).buffered(AT_ONCE).collect().await
}

async fn bounded<'c>(cluster: &ClusterReader<'_>, check: &'c CheckEntry) -> CheckResult<'c> {
    let late = ReadError::TooLate { what: check.reads.into(), seconds: cluster.within().as_secs() };
    let outcome = tokio::time::timeout(cluster.within(), (check.run)(cluster)).await;
    (check, outcome.unwrap_or(Err(late.into())))
}
