//! Who computes when many want to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::meter::Meter;

/// How long one that waits sleeps at most before it looks for itself.
const LOOK: Duration = Duration::from_millis(20);

/// Turns on the cores, for guests that have used up a slice.
///
/// The scheduler takes tasks in the order in which they became ready. If all guests that loop were
/// ready at once, a request that comes would wait behind every one of them. So only as many are ready
/// as there are cores; the others wait here, in order, and between two slices of a core there is room
/// for whoever is new.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Arc<Semaphore>,
    freed: Notify,
    waiting: AtomicU64,
}

/// One that waits for a turn, counted while it does.
struct Waits<'a>(&'a Shared);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// A turn on a core. Dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    turns: Arc<Shared>,
}

impl Turns {
    /// Turns on `cores` cores.
    pub fn new(cores: usize) -> Self {
        let free = Arc::new(Semaphore::new(cores));
        Self(Arc::new(Shared { free, freed: Notify::new(), waiting: AtomicU64::new(0) }))
    }

    /// Lets others go first, then waits for a turn, which `meter` gives back at the end of the slice.
    ///
    /// A turn is taken only while this is polled, never kept for one that waits: who polls a guest may
    /// have stopped, for a client that reads nothing, and would keep its turn from all others. One that
    /// is woken and does not come costs the others a moment, until they look for themselves.
    pub fn next(&self, meter: Arc<Meter>) -> impl Future<Output = ()> + Send + use<> {
        let turns = Arc::clone(&self.0);
        async move {
            turns.waiting.fetch_add(1, Relaxed);
            let waits = Waits(&turns);
            tokio::task::yield_now().await;
            loop {
                if let Ok(permit) = Arc::clone(&turns.free).try_acquire_owned() {
                    drop(waits);
                    meter.took_turn(Turn { permit: Some(permit), turns });
                    return;
                }
                let _ = tokio::time::timeout(LOOK, turns.freed.notified()).await;
            }
        }
    }
}

impl Turns {
    /// Guests that wait for a turn.
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Relaxed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.turns.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Of ten that compute, two have a turn at a time, and all get theirs.
    #[tokio::test]
    async fn turns_go_round() {
        let turns = Turns::new(2);
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let guests: Vec<_> = (0..10)
            .map(|_| {
                let (turns, running) = (turns.clone(), Arc::clone(&running));
                tokio::spawn(async move {
                    let meter = Arc::new(Meter::new(Duration::MAX));
                    meter.tick().unwrap();
                    for _ in 0..20 {
                        turns.next(Arc::clone(&meter)).await;
                        let slice = meter.slice();
                        let now = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert!(now < 2);
                        running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        slice.end().unwrap();
                    }
                })
            })
            .collect();
        for guest in guests {
            guest.await.unwrap();
        }
    }

    /// One that waits and is no longer polled, as for a client that reads nothing, keeps no turn.
    #[tokio::test]
    async fn who_does_not_come_for_its_turn_has_none() {
        let turns = Turns::new(1);
        let meter = || Arc::new(Meter::new(Duration::MAX));
        let first = meter();
        first.tick().unwrap();
        turns.next(Arc::clone(&first)).await;
        let mut gone = Box::pin(turns.next(meter()));
        // Polled until it waits, and never again.
        for _ in 0..3 {
            let once = std::future::poll_fn(|context| std::task::Poll::Ready(gone.as_mut().poll(context)));
            assert!(once.await.is_pending());
            tokio::task::yield_now().await;
        }
        let waits = tokio::spawn(turns.next(meter()));
        first.slice().end().unwrap();
        tokio::time::timeout(Duration::from_secs(10), waits).await.expect("a turn is free").unwrap();
    }
}
