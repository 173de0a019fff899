//! The slots of connections.
//!
//! A connection is pending until one of its requests is authenticated. Pending connections have slots of their own. If
//! all of these are taken, a new connection evicts the oldest connection of the peer that has the most pending ones.
//! So a client with the token is always served, because it authenticates with its first request, and silent
//! connections lock nobody out.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The maximum number of authenticated connections.
const MAX_AUTHENTICATED: usize = 256;

/// The maximum number of pending connections.
const MAX_PENDING: usize = 256;

/// The slots of all connections of a server.
#[derive(Clone)]
pub(super) struct ConnectionSlots(Arc<SlotPools>);

struct SlotPools {
    authenticated: Arc<Semaphore>,
    pending: Mutex<VecDeque<PendingConnection>>,
}

struct PendingConnection {
    peer: IpAddr,
    evict: CancellationToken,
}

/// The slot of one connection.
pub(super) struct ConnectionSlot {
    pools: Arc<SlotPools>,
    authenticated: Mutex<Option<OwnedSemaphorePermit>>,
    evict: CancellationToken,
}

impl ConnectionSlots {
    pub(super) fn new() -> Self {
        Self(Arc::new(SlotPools {
            authenticated: Arc::new(Semaphore::new(MAX_AUTHENTICATED)),
            pending: Mutex::default(),
        }))
    }

    /// Returns a slot for a new connection. If all slots are taken, it evicts another pending connection.
    pub(super) fn open(&self, peer: IpAddr) -> Arc<ConnectionSlot> {
        let evict = CancellationToken::new();
        let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push_back(PendingConnection { peer, evict: evict.clone() });
        if pending.len() > MAX_PENDING {
            let mut counts = HashMap::<_, usize>::new();
            pending.iter().for_each(|one| *counts.entry(one.peer).or_default() += 1);
            // Among peers with equally many pending connections, the peer of the new connection is never chosen.
            let most = counts.into_iter().max_by_key(|(of, count)| (*count, *of != peer));
            let most = most.map(|(peer, _)| peer);
            let oldest = pending.iter().position(|one| Some(one.peer) == most);
            if let Some(oldest) = oldest.and_then(|at| pending.remove(at)) {
                oldest.evict.cancel();
            }
        }
        drop(pending);
        Arc::new(ConnectionSlot { pools: self.0.clone(), authenticated: Mutex::default(), evict })
    }
}

impl SlotPools {
    /// Removes a connection from the pending ones.
    fn remove_pending(&self, evict: &CancellationToken) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|connection| connection.evict != *evict);
    }
}

impl ConnectionSlot {
    /// Marks the connection as authenticated. Returns false if there are too many authenticated connections.
    pub(super) fn authenticate(&self) -> bool {
        let mut authenticated = self.authenticated.lock().unwrap_or_else(PoisonError::into_inner);
        if authenticated.is_none() {
            *authenticated = self.pools.authenticated.clone().try_acquire_owned().ok();
            if authenticated.is_some() {
                self.pools.remove_pending(&self.evict);
            }
        }
        authenticated.is_some()
    }

    /// Waits until the connection is evicted.
    pub(super) async fn evicted(&self) {
        self.evict.cancelled().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.pools.remove_pending(&self.evict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    fn evicted_count(slots: &[Arc<ConnectionSlot>]) -> usize {
        slots.iter().filter(|slot| slot.evict.is_cancelled()).count()
    }

    #[test]
    fn new_connections_evict_pending_connections_only() {
        let slots = ConnectionSlots::new();
        let authenticated = slots.open(peer(1));
        assert!(authenticated.authenticate());
        let silent: Vec<_> = (0..10_000).map(|_| slots.open(peer(1))).collect();
        assert_eq!(evicted_count(&silent), silent.len() - MAX_PENDING);
        let other = slots.open(peer(2));
        let more: Vec<_> = (0..10_000).map(|_| slots.open(peer(1))).collect();
        assert_eq!(evicted_count(&silent) + evicted_count(&more), 20_000 - (MAX_PENDING - 1));
        assert!(
            !other.evict.is_cancelled() && other.authenticate(),
            "the peer with the most connections loses its slots"
        );
        assert!(!authenticated.evict.is_cancelled(), "an authenticated connection stays");
        let all: Vec<_> = (0..250).flat_map(|n| [n; 4]).map(|n| slots.open(peer(n))).collect();
        assert!(all.len() - evicted_count(&all) <= MAX_PENDING);
        let last = slots.open(peer(255));
        assert!(
            !last.evict.is_cancelled() && last.authenticate(),
            "the newest connection always gets a slot"
        );
    }

    #[test]
    fn slots_are_freed() {
        let slots = ConnectionSlots::new();
        let authenticated: Vec<_> =
            (0..MAX_AUTHENTICATED).map(|_| slots.open(peer(1))).filter(|slot| slot.authenticate()).collect();
        assert_eq!(authenticated.len(), MAX_AUTHENTICATED);
        assert!(authenticated[0].authenticate(), "a second request takes no second slot");
        let more = slots.open(peer(1));
        assert!(!more.authenticate());
        drop(authenticated);
        assert!(more.authenticate());
        drop(more);
        assert!(slots.0.pending.lock().unwrap().is_empty());
        assert_eq!(slots.0.authenticated.available_permits(), MAX_AUTHENTICATED);
    }
}
