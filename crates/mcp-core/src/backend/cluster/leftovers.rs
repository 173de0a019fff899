//! What must be done after its call is over: ending a command that nobody waits for, deleting a pod.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// Work that outlives its call, and is waited for before the process ends.
#[derive(Clone, Default)]
pub(super) struct Leftovers(Arc<Mutex<JoinSet<()>>>);

impl Leftovers {
    /// Does it, whatever becomes of the caller.
    pub(super) fn see_to(&self, work: impl Future<Output = ()> + Send + 'static) {
        // None: the runtime is gone, and with it every connection.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while all.try_join_next().is_some() {}
            all.spawn_on(work, &runtime);
        }
    }

    /// Waits for all of it, but not for ever.
    pub(super) async fn finish(&self, within: Duration) {
        let take = || std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // What ends may leave something behind itself.
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
            tracing::warn!("what was to be cleaned up was not done in time; its own time-out ends it");
        }
    }
}
