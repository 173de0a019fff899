//! Runs work that must continue after its call: killing an abandoned command, deleting a pod.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// Work that outlives its call. The process waits for it before it exits.
#[derive(Clone, Default)]
pub(super) struct Leftovers(Arc<Mutex<JoinSet<()>>>);

impl Leftovers {
    /// Runs the work, even if the caller goes away.
    pub(super) fn see_to(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime there are no connections to clean up.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while all.try_join_next().is_some() {}
            all.spawn_on(work, &runtime);
        }
    }

    /// Waits for all of the work, up to a time limit.
    pub(super) async fn finish(&self, within: Duration) {
        let take = || std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // Work that ends may add more work.
        let all = async {
            loop {
                let some = take();
                if some.is_empty() {
                    break;
                }
                some.join_all().await;
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("cleanup did not finish in time; the leftovers end at their own time limits");
        }
    }
}
