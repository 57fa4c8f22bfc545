//! What goes on at a connection, and since when nothing did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What goes on at one connection. Counted by whoever reads from it, writes to it and answers its
/// requests, mostly one task.
#[derive(Default)]
pub(crate) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Whether bytes came that belong to no request that began, as far as anyone knows.
    is_amid_head: AtomicBool,
    /// Whether something is to be written and the client does not take it.
    is_stalled: AtomicBool,
}

/// One request of a connection, for as long as its body or its answer is there. Whoever has one of
/// them keeps a clone.
#[derive(Clone)]
pub(crate) struct UnderWay {
    _last: Arc<Last>,
}

/// Dropped with the last clone.
struct Last(Arc<Activity>);

impl Activity {
    /// A request began: its head is there.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Relaxed);
        self.is_amid_head.store(false, Relaxed);
        UnderWay { _last: Arc::new(Last(Arc::clone(self))) }
    }

    /// Bytes came.
    pub(crate) fn read(&self) {
        self.is_amid_head.store(true, Relaxed);
    }

    /// A write was taken, or has to wait.
    pub(crate) fn wrote(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Relaxed);
    }

    /// Whether all that was read belongs to requests, and all that was answered was taken.
    fn is_between_requests(&self) -> bool {
        !self.is_amid_head.load(Relaxed) && !self.is_stalled.load(Relaxed)
    }

    /// Done once no request began, ended or was under way for `time`, at the latest after twice that.
    pub(crate) async fn ceased(&self, time: Duration) {
        let mut before = None;
        loop {
            let (begun, ended) = (self.begun.load(Relaxed), self.ended.load(Relaxed));
            if before == Some((begun, ended)) && begun == ended {
                return;
            }
            before = Some((begun, ended));
            tokio::time::sleep(time).await;
        }
    }

    /// Done once that is so, and nothing is half-way: neither a head nor an answer.
    pub(crate) async fn rests(&self, time: Duration) {
        loop {
            self.ceased(time).await;
            if self.is_between_requests() {
                return;
            }
        }
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        // Its body was read until now.
        self.0.is_amid_head.store(false, Relaxed);
        self.0.ended.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep, timeout};

    const TIME: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_nothing_came_and_nothing_goes_on() {
        let activity = Arc::new(Activity::default());
        let started = Instant::now();
        let request = async {
            sleep(Duration::from_secs(15)).await;
            let under_way = activity.begin();
            let body = under_way.clone();
            sleep(Duration::from_secs(50)).await;
            drop(under_way);
            sleep(Duration::from_secs(50)).await;
            drop(body);
        };
        // The first pause of ten seconds is seen before the request comes.
        activity.ceased(TIME).await;
        assert_eq!(started.elapsed().as_secs(), 10);
        tokio::join!(request, async {
            sleep(Duration::from_secs(16)).await;
            activity.ceased(TIME).await;
        });
        let took = started.elapsed().as_secs();
        assert!((125..=146).contains(&took), "after the request's end at 125 s: {took} s");
    }

    /// What ended a moment ago may not be on its way yet.
    #[tokio::test(start_paused = true)]
    async fn an_end_counts_as_much_as_a_beginning() {
        let activity = Arc::new(Activity::default());
        let under_way = activity.begin();
        let started = Instant::now();
        let request = async {
            sleep(Duration::from_millis(19_999)).await;
            drop(under_way);
        };
        tokio::join!(request, activity.ceased(TIME));
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_rests_within_a_head_or_an_answer() {
        let activity = Arc::new(Activity::default());
        let rests = || async { timeout(Duration::from_secs(100), activity.rests(TIME)).await.is_ok() };
        assert!(rests().await);
        activity.read();
        assert!(!rests().await, "half of a head is there");
        let request = activity.begin();
        activity.read();
        drop(request);
        assert!(rests().await, "what was read was the request's body");
        activity.wrote(true);
        assert!(!rests().await, "the answer is not taken");
        activity.wrote(false);
        assert!(rests().await);
    }
}
