//! Debug pods, which run programs that no running container has. The server creates none without `--allow-debug-pods`.

mod options;
mod owner;
mod pod;
mod sweep;

pub(super) use options::{DebugOptionError, DebugOptions};
pub(super) use pod::{DebugPod, HOST_ROOT};
pub(super) use sweep::sweep;

use super::{
    api::{Api, RequestDeadline},
    leftovers::Leftovers,
    pods,
};
use crate::{NodeName, ReadError};
use k8s_openapi::api::core::v1::Pod;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::watch;

/// How long an idle pod is kept for the next command.
const IDLE: Duration = Duration::from_secs(30);

/// The debug pod of a node, if there is one. The task that creates it holds the lock.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<DebugPod>>>>;

/// The debug pods of this server, at most one per node.
pub(super) struct DebugPods {
    options: Arc<DebugOptions>,
    slots: Mutex<HashMap<NodeName, Slot>>,
    leftovers: Leftovers,
    closing: watch::Sender<bool>,
}

impl DebugPods {
    pub(super) fn new(options: DebugOptions, leftovers: Leftovers) -> Self {
        let (closing, _) = watch::channel(false);
        Self { options: Arc::new(options), slots: Mutex::default(), leftovers, closing }
    }

    /// Returns the debug pod of a node, and creates it if there is none. The pod stays until it has been idle for a
    /// while.
    pub(super) async fn on(
        &self,
        api: &Api,
        node: &NodeName,
        pods: &[Pod],
        deadline: RequestDeadline,
    ) -> Result<Arc<DebugPod>, ReadError> {
        let slot = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(node.clone())
            .or_default()
            .clone();
        let what = format!("a debug pod on {node}");
        let mut place = deadline.bound(&what, async { Ok(slot.clone().lock_owned().await) }).await?;
        if let Some(pod) = place.as_ref().filter(|pod| pod.can_be_used()) {
            pod.touch();
            return Ok(pod.clone());
        }
        *place = None;
        let image = pods::image(pods).map(str::to_owned);
        let namespace = pods.iter().find_map(pods::reference).map(|pod| pod.namespace);
        let plan = self.options.plan(node, image, namespace)?;
        // The pod is created in its own task, because a caller that goes away must not leave a pod whose name nobody
        // knows.
        let (api, leftovers) = (api.clone(), self.leftovers.clone());
        let closing = self.closing.subscribe();
        let made = tokio::spawn(async move {
            let pod = Arc::new(DebugPod::start(&api, plan, leftovers, closing, deadline).await?);
            *place = Some(pod.clone());
            drop(place);
            tokio::spawn(delete_when_idle(slot, Arc::downgrade(&pod)));
            Ok(pod)
        });
        let made = async { made.await.map_err(|e| ReadError::unreadable("a debug pod", e))? };
        deadline.bound(&what, made).await
    }

    /// Drops a pod that can no longer be used. Another call may already have created the next one.
    pub(super) async fn forget(&self, node: &NodeName, pod: &Arc<DebugPod>) {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
        let Some(slot) = slot else { return };
        let mut place = slot.lock().await;
        if place.as_ref().is_some_and(|now| Arc::ptr_eq(now, pod)) {
            *place = None;
        }
    }

    /// Deletes all debug pods.
    pub(super) async fn close(&self, within: Duration) {
        self.closing.send_replace(true);
        let slots: Vec<Slot> =
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, slot)| slot).collect();
        let all = futures::future::join_all(slots.iter().map(|slot| async { *slot.lock().await = None }));
        // Dropping a pod deletes it in a leftover task.
        _ = tokio::time::timeout(within, all).await;
    }
}

async fn delete_when_idle(slot: Slot, pod: Weak<DebugPod>) {
    loop {
        tokio::time::sleep(IDLE / 3).await;
        let mut place = slot.lock().await;
        let Some(pod) = pod.upgrade() else { return };
        let is_ours = place.as_ref().is_some_and(|now| Arc::ptr_eq(now, &pod));
        // The slot and this task hold one reference each; any other reference belongs to a call.
        if is_ours && (Arc::strong_count(&pod) > 2 || pod.idle() < IDLE) {
            continue;
        }
        if is_ours {
            *place = None;
        }
        return;
    }
}
