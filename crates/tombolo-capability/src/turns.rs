//! Who computes when many want to.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::meter::Meter;

/// Turns on the cores, for guests that have used up a slice.
///
/// The scheduler takes tasks in the order in which they became ready. If all guests that loop were
/// ready at once, a request that comes would wait behind every one of them. So only as many are ready
/// as there are cores; the others wait here, in order, and between two slices of a core there is room
/// for whoever is new.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

impl Turns {
    /// Turns on `cores` cores.
    pub fn new(cores: usize) -> Self {
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// Lets others go first, then waits for a turn, which `meter` gives back at the end of the slice.
    pub fn next(&self, meter: Arc<Meter>) -> impl Future<Output = ()> + Send + use<> {
        let turns = Arc::clone(&self.0);
        async move {
            tokio::task::yield_now().await;
            // Never closed; and a guest without a turn is one too many, not a failure.
            if let Ok(turn) = turns.acquire_owned().await {
                meter.took_turn(turn);
            }
        }
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
}
