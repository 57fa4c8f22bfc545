//! How many connections the guests of a node have together, if its operator says.
//!
//! Who finds no place waits for one: its own time is bounded. A connection that waits for its next request gives its
//! place to whoever needs it, also to another component.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tombolo_model::networking::Protocol;

use crate::EgressError;
use crate::idle::Waits;

/// Bounds over all components.
#[derive(Debug, Default)]
pub struct Bounds {
    total: Option<Bound>,
    protocols: BTreeMap<Protocol, Bound>,
}

struct Bound {
    max: u32,
    permits: Arc<Semaphore>,
    /// Whose connections wait and can give their places back.
    waits: Mutex<Vec<Weak<dyn Waits>>>,
    /// Told when a connection begins to wait.
    parked: Notify,
}

/// A place within the bounds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) protocol: Option<Protocol>,
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

impl Bounds {
    /// At most `total` connections, and so many of each protocol; those that are not there have no bound.
    pub fn new(total: Option<u32>, protocols: &BTreeMap<Protocol, u32>) -> Arc<Self> {
        let protocols = protocols.iter().map(|(protocol, max)| (*protocol, Bound::new(*max))).collect();
        Arc::new(Self { total: total.map(Bound::new), protocols })
    }

    fn of(&self, protocol: Option<Protocol>) -> impl Iterator<Item = &Bound> {
        protocol.and_then(|protocol| self.protocols.get(&protocol)).into_iter().chain(&self.total)
    }

    /// A place for a connection, once there is one.
    pub(crate) async fn hold(&self, protocol: Option<Protocol>) -> Result<Held, EgressError> {
        // No one waits for what cannot come.
        if self.of(protocol).any(|bound| bound.max == 0) {
            return Err(EgressError::Busy);
        }
        let mut permits = [None, None];
        // That of the protocol first: who waits for it must not keep others from theirs.
        for (bound, permit) in self.of(protocol).zip(&mut permits) {
            *permit = Some(bound.acquire().await);
        }
        Ok(Held { protocol, _permits: permits })
    }

    /// Connections of this protocol wait there from now on, and are asked for their places.
    pub(crate) fn waits(&self, protocol: Protocol, waits: &Weak<dyn Waits>) {
        for bound in self.of(Some(protocol)) {
            let mut all = bound.waits.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|waits| waits.strong_count() > 0);
            all.push(Weak::clone(waits));
        }
    }

    /// A connection of this protocol waits for its next request.
    pub fn parked(&self, protocol: Protocol) {
        for bound in self.of(Some(protocol)) {
            bound.parked.notify_one();
        }
    }
}

impl Bound {
    fn new(max: u32) -> Self {
        let permits = Arc::new(Semaphore::new(max as usize));
        Self { max, permits, waits: Mutex::default(), parked: Notify::new() }
    }

    async fn acquire(&self) -> OwnedSemaphorePermit {
        loop {
            let mut parked = pin!(self.parked.notified());
            // From here on no connection that begins to wait is missed.
            parked.as_mut().enable();
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return permit;
            }
            if self.let_go() {
                continue;
            }
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => return permit.expect("it is never closed"),
                () = parked => {}
            }
        }
    }

    /// Closes the connection that waits the longest; whether there was one.
    fn let_go(&self) -> bool {
        let waits: Vec<_> = {
            let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
            waits.iter().filter_map(Weak::upgrade).collect()
        };
        let oldest = waits.iter().filter_map(|waits| Some((waits.oldest()?, waits)));
        oldest.min_by_key(|(since, _)| *since).is_some_and(|(_, waits)| waits.let_go().is_some())
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bound").field("max", &self.max).finish_non_exhaustive()
    }
}
