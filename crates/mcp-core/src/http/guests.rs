//! Who holds a place among the connections.
//!
//! A connection is a stranger's until a request on it may come in. Strangers have places of their own. When all are taken, the
//! peer that has the most of them loses its oldest to whoever comes next: who knows the token says so at once, and whoever
//! waits without saying anything keeps nobody out.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many connections there may be on which a request came in.
const KNOWN: usize = 256;

/// How many there may be on which none did.
const STRANGERS: usize = 256;

/// The places.
#[derive(Clone)]
pub(super) struct Guests(Arc<Places>);

struct Places {
    known: Arc<Semaphore>,
    strangers: Mutex<VecDeque<Stranger>>,
}

struct Stranger {
    peer: IpAddr,
    leave: CancellationToken,
}

/// The place of one connection.
pub(super) struct Guest {
    places: Arc<Places>,
    known: Mutex<Option<OwnedSemaphorePermit>>,
    leave: CancellationToken,
}

impl Guests {
    pub(super) fn new() -> Self {
        Self(Arc::new(Places { known: Arc::new(Semaphore::new(KNOWN)), strangers: Mutex::default() }))
    }

    /// A place for a new connection. If there is none, another is told to leave.
    pub(super) fn receive(&self, peer: IpAddr) -> Arc<Guest> {
        let leave = CancellationToken::new();
        let mut strangers = self.0.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.push_back(Stranger { peer, leave: leave.clone() });
        if strangers.len() > STRANGERS {
            let mut counts = HashMap::<_, usize>::new();
            strangers.iter().for_each(|one| *counts.entry(one.peer).or_default() += 1);
            // Of peers that have as many, never the newest's.
            let most = counts.into_iter().max_by_key(|(of, count)| (*count, *of != peer));
            let most = most.map(|(peer, _)| peer);
            let oldest = strangers.iter().position(|one| Some(one.peer) == most);
            if let Some(oldest) = oldest.and_then(|at| strangers.remove(at)) {
                oldest.leave.cancel();
            }
        }
        drop(strangers);
        Arc::new(Guest { places: self.0.clone(), known: Mutex::default(), leave })
    }
}

impl Places {
    /// The place of a stranger is free again.
    fn free(&self, leave: &CancellationToken) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.retain(|stranger| stranger.leave != *leave);
    }
}

impl Guest {
    /// A request on this connection came in. False: there are as many known connections as there may be.
    pub(super) fn welcome(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = self.places.known.clone().try_acquire_owned().ok();
            if known.is_some() {
                self.places.free(&self.leave);
            }
        }
        known.is_some()
    }

    /// Waits until the connection has to make room.
    pub(super) async fn told_to_leave(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.places.free(&self.leave);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    fn gone(guests: &[Arc<Guest>]) -> usize {
        guests.iter().filter(|guest| guest.leave.is_cancelled()).count()
    }

    #[test]
    fn strangers_make_room_for_each_other_and_for_nobody_else() {
        let guests = Guests::new();
        let friend = guests.receive(peer(1));
        assert!(friend.welcome());
        let crowd: Vec<_> = (0..10_000).map(|_| guests.receive(peer(1))).collect();
        assert_eq!(gone(&crowd), crowd.len() - STRANGERS);
        let other = guests.receive(peer(2));
        let more: Vec<_> = (0..10_000).map(|_| guests.receive(peer(1))).collect();
        assert_eq!(gone(&crowd) + gone(&more), 20_000 - (STRANGERS - 1));
        assert!(!other.leave.is_cancelled() && other.welcome(), "the peer with the most loses its places");
        assert!(!friend.leave.is_cancelled(), "who is known stays");
        let all: Vec<_> = (0..250).flat_map(|n| [n; 4]).map(|n| guests.receive(peer(n))).collect();
        assert!(all.len() - gone(&all) <= STRANGERS);
        let last = guests.receive(peer(255));
        assert!(!last.leave.is_cancelled() && last.welcome(), "the newest is let in, whoever else is there");
    }

    #[test]
    fn places_are_free_again() {
        let guests = Guests::new();
        let known: Vec<_> =
            (0..KNOWN).map(|_| guests.receive(peer(1))).filter(|guest| guest.welcome()).collect();
        assert_eq!(known.len(), KNOWN);
        assert!(known[0].welcome(), "a second request takes no second place");
        let more = guests.receive(peer(1));
        assert!(!more.welcome());
        drop(known);
        assert!(more.welcome());
        drop(more);
        assert!(guests.0.strangers.lock().unwrap().is_empty());
        assert_eq!(guests.0.known.available_permits(), KNOWN);
    }
}
