//! What became of requests, counted by whoever answered them.
//!
//! A request adds three times to counters that it reaches through what it holds anyway: no lock, no look-up. What is
//! told of them is made when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Longest durations of the classes that durations are counted in, in microseconds; what takes longer is in one
/// more. 1-2.5-5 from half a millisecond to ten seconds: a small app answers within the first, and most requests
/// may take 30 s.
pub const BOUNDS_US: [u64; 14] = [
    500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// Classes of statuses, by their hundreds; the first is of clients that left before there was one.
pub const STATUSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests of clients for one release of an app, or for none.
// Alone on its lines of the cache: those who count for other apps do not wait for these.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counts {
    begun: AtomicU64,
    /// By status and duration.
    ended: [[AtomicU64; BOUNDS_US.len() + 1]; STATUSES.len()],
    took_us: AtomicU64,
    inside: AtomicU64,
}

/// What [`Counts`] say at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests that ended, as in [`STATUSES`].
    pub by_status: [u64; STATUSES.len()],
    /// The same by how long they took to their last byte, as in [`BOUNDS_US`] and one more.
    pub by_duration: [u64; BOUNDS_US.len() + 1],
    /// How long they took together.
    pub took: Duration,
    /// Requests under way.
    pub in_flight: u64,
    /// Requests of the app's own components, which are in none of the others.
    pub inside: u64,
}

impl Counts {
    /// A request of a client began.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// It ended with this status, or with 0 for none.
    pub(crate) fn end(&self, status: u16, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let status = usize::from(status / 100).min(STATUSES.len() - 1);
        let class = BOUNDS_US.partition_point(|bound| *bound < took_us);
        self.ended[status][class].fetch_add(1, Relaxed);
        self.took_us.fetch_add(took_us, Relaxed);
    }

    /// A request of another component of the app ended.
    pub(crate) fn end_inside(&self) {
        self.inside.fetch_add(1, Relaxed);
    }

    /// What they say now.
    pub fn counted(&self) -> Counted {
        let mut counted = Counted {
            took: Duration::from_micros(self.took_us.load(Relaxed)),
            inside: self.inside.load(Relaxed),
            ..Counted::default()
        };
        for (status, classes) in self.ended.iter().enumerate() {
            for (class, count) in classes.iter().enumerate() {
                let count = count.load(Relaxed);
                counted.by_status[status] += count;
                counted.by_duration[class] += count;
            }
        }
        // What began is read last: of requests that begin and end meanwhile, none ends before it begins.
        let ended: u64 = counted.by_status.iter().sum();
        counted.in_flight = self.begun.load(Relaxed).saturating_sub(ended);
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_in_one_class_of_each_kind() {
        let counts = Counts::default();
        for (status, took_us) in [(200, 0), (204, 500), (404, 501), (0, 10_000_000), (999, u64::MAX / 2)] {
            counts.begin();
            counts.end(status, Duration::from_micros(took_us));
        }
        counts.begin();
        counts.end_inside();
        let Counted { by_status, by_duration, in_flight, inside, .. } = counts.counted();
        assert_eq!(by_status, [1, 0, 2, 0, 1, 1]);
        assert_eq!(by_duration, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((in_flight, inside), (1, 1));
    }
}
