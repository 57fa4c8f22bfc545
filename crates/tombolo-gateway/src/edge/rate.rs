//! How often clients may ask.
//!
//! Each client, and the app, has a bucket that fills at the rate and holds a burst. It is kept as one moment, the
//! theoretical arrival time of the generic cell rate algorithm (ITU-T I.371, Annex A): when the bucket would be full
//! again. So a bucket that is full is as good as none, and is forgotten.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tombolo_model::edge::{Rate, RateLimit};

/// Sets of clients that are remembered; a client is in the set that its number hashes to.
const SETS: usize = 2048;
/// Clients of one set. With more, the one whose bucket is the fullest is forgotten: its next requests are counted anew,
/// and nobody is refused for want of room.
const WAYS: usize = 8;

/// Counts the requests of one app.
#[derive(Debug)]
pub struct RateLimiter {
    limit: RateLimit,
    started: Instant,
    clients: Option<Clients>,
    app: Option<(Bucket, AtomicU64)>,
}

#[derive(Debug)]
struct Clients {
    bucket: Bucket,
    /// So that nobody can choose addresses that fall into one set.
    hashing: RandomState,
    /// 272 KiB, all of it from the beginning.
    sets: Box<[Mutex<[Slot; WAYS]>]>,
}

/// A client, and when its bucket will be full. One that is full belongs to nobody.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    client: u64,
    full_ns: u64,
}

/// A rate in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Between two requests at the rate.
    interval_ns: u64,
    /// How far ahead of the rate a burst may be.
    tolerance_ns: u64,
}

/// A request came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSoon {
    /// After how long the next may come.
    pub(crate) retry_after: Duration,
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        let per_ns = u64::try_from(rate.per.as_nanos()).unwrap_or(u64::MAX);
        // Rounded up: never more than the rate.
        let interval_ns = per_ns.div_ceil(rate.requests.into());
        // An hour a million times is less than what 64 bits hold.
        let tolerance_ns = interval_ns.saturating_mul(u64::from(rate.burst) - 1);
        Self { interval_ns, tolerance_ns }
    }

    /// When the bucket is full after a request at `now` of one that would be full at `full_ns`.
    fn take(self, full_ns: u64, now_ns: u64) -> Result<u64, TooSoon> {
        let full_ns = full_ns.max(now_ns);
        match (full_ns - now_ns).checked_sub(self.tolerance_ns) {
            None | Some(0) => Ok(full_ns.saturating_add(self.interval_ns)),
            Some(early_ns) => Err(TooSoon { retry_after: Duration::from_nanos(early_ns) }),
        }
    }
}

impl RateLimiter {
    /// A limiter whose buckets are full.
    pub fn new(limit: RateLimit) -> Self {
        let clients = |rate| Clients {
            bucket: Bucket::new(rate),
            hashing: RandomState::new(),
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
        };
        Self {
            limit,
            started: Instant::now(),
            clients: limit.client.map(clients),
            app: limit.app.map(|rate| (Bucket::new(rate), AtomicU64::new(0))),
        }
    }

    /// What it enforces.
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Counts a request of the client with this number.
    ///
    /// # Errors
    ///
    /// If it comes too soon: then it was not counted, but for its client if the app has no more to give.
    pub(crate) fn take(&self, client: u64, now: Instant) -> Result<(), TooSoon> {
        // Time begins at 1, for at 0 every bucket was full.
        let now_ns = now.saturating_duration_since(self.started).as_nanos();
        let now_ns = u64::try_from(now_ns).unwrap_or(u64::MAX).saturating_add(1);
        if let Some(clients) = &self.clients {
            clients.take(client, now_ns)?;
        }
        let Some((bucket, full_ns)) = &self.app else { return Ok(()) };
        let mut refused = None;
        let taken = full_ns.fetch_update(Relaxed, Relaxed, |full_ns| {
            bucket.take(full_ns, now_ns).inspect_err(|too_soon| refused = Some(*too_soon)).ok()
        });
        match (taken, refused) {
            (Err(_), Some(too_soon)) => Err(too_soon),
            _ => Ok(()),
        }
    }
}

impl Clients {
    fn take(&self, client: u64, now_ns: u64) -> Result<(), TooSoon> {
        let hash = self.hashing.hash_one(client);
        let set = &self.sets[usize::try_from(hash % SETS as u64).unwrap_or(0)];
        let mut slots = set.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = &mut *slots;
        let own = slots.iter().position(|slot| slot.client == client && slot.full_ns > now_ns);
        let fullest = || (0..WAYS).min_by_key(|way| slots[*way].full_ns).unwrap_or(0);
        let (way, before_ns) = match own {
            Some(way) => (way, slots[way].full_ns),
            None => (fullest(), 0),
        };
        let full_ns = self.bucket.take(before_ns, now_ns)?;
        slots[way] = Slot { client, full_ns };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(requests: u32, per_s: u64, burst: u32) -> Rate {
        Rate { requests, per: Duration::from_secs(per_s), burst }
    }

    fn of_client(rate: Rate) -> RateLimiter {
        RateLimiter::new(RateLimit { client: Some(rate), app: None })
    }

    fn of_app(rate: Rate) -> RateLimiter {
        RateLimiter::new(RateLimit { client: None, app: Some(rate) })
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        for limiter in [of_client(rate(10, 1, 3)), of_app(rate(10, 1, 3))] {
            let at = |ms: u64| limiter.started + Duration::from_millis(ms);
            for _ in 0..3 {
                assert_eq!(limiter.take(1, at(0)), Ok(()));
            }
            let too_soon = limiter.take(1, at(0)).unwrap_err();
            assert_eq!(too_soon.retry_after, Duration::from_millis(100));
            assert!(limiter.take(1, at(99)).is_err() && limiter.take(1, at(100)).is_ok());
            assert!(limiter.take(1, at(100)).is_err() && limiter.take(1, at(200)).is_ok());
            // After enough time a burst again, and no more.
            let passed = (0..10).filter(|_| limiter.take(1, at(10_000)).is_ok()).count();
            assert_eq!(passed, 3);
        }
    }

    #[test]
    fn clients_have_a_bucket_each_and_share_that_of_the_app() {
        let limit = RateLimit { client: Some(rate(1, 60, 2)), app: Some(rate(1, 60, 3)) };
        let limiter = RateLimiter::new(limit);
        let passed = |client| (0..5).filter(|_| limiter.take(client, limiter.started).is_ok()).count();
        assert_eq!((passed(1), passed(2), passed(3)), (2, 1, 0));
    }

    /// The address space is larger than any table: who is forgotten gains a burst, who comes is never refused for it.
    #[test]
    fn more_clients_than_there_is_room_for_are_served() {
        let limiter = of_client(rate(1, 3600, 1));
        let clients = 4 * (SETS * WAYS) as u64;
        let passed = (0..clients).filter(|client| limiter.take(*client, limiter.started).is_ok()).count();
        assert_eq!(passed as u64, clients, "each comes for the first time");
        let again = (0..clients).filter(|client| limiter.take(*client, limiter.started).is_err()).count();
        assert!(again > 0, "nobody was remembered");
    }

    /// A client that asks all the time stays known while others come and go: who is forgotten is nearest to full.
    #[test]
    fn who_asks_most_is_forgotten_last() {
        let limiter = of_client(rate(1, 3600, 100));
        let passed = (0..100).filter(|_| limiter.take(0, limiter.started).is_ok()).count();
        assert_eq!(passed, 100);
        for other in 1..4 * (SETS * WAYS) as u64 {
            assert!(limiter.take(other, limiter.started).is_ok());
        }
        assert!(limiter.take(0, limiter.started).is_err());
    }

    #[test]
    fn the_largest_limits_hold_without_overflow() {
        let largest = rate(1, Rate::PER_MAX.as_secs(), Rate::REQUESTS_MAX);
        let limiter = of_client(largest);
        let passed = (0..1_000_010).filter(|_| limiter.take(7, limiter.started).is_ok()).count();
        assert_eq!(passed, 1_000_000);
        let late = limiter.started + Duration::from_secs(3600);
        assert!(limiter.take(7, late).is_ok() && limiter.take(7, late).is_err());
    }

    proptest! {
        /// In no window do more requests pass than the burst and what the rate gives in that time.
        #[test]
        fn no_window_has_more_than_the_burst_and_the_rate(
            requests in 1u32..50, per_s in 1u64..20, burst in 1u32..20, is_client: bool,
            steps in prop::collection::vec(0u64..2_000_000_000, 1..200),
        ) {
            let rate = rate(requests, per_s, burst);
            let limiter = if is_client { of_client(rate) } else { of_app(rate) };
            let mut now_ns = 0u64;
            let mut passed = Vec::new();
            for step_ns in steps {
                // Most come in bunches.
                now_ns += if step_ns % 3 == 0 { step_ns } else { step_ns % 1000 };
                let now = limiter.started + Duration::from_nanos(now_ns);
                match limiter.take(9, now) {
                    Ok(()) => passed.push(now_ns),
                    // Who comes when it was told to is let in.
                    Err(TooSoon { retry_after }) => prop_assert!(retry_after > Duration::ZERO),
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, until) in passed.iter().enumerate().skip(first) {
                    let window_ns = u128::from(until - from);
                    let rated = window_ns * u128::from(requests) / (u128::from(per_s) * 1_000_000_000);
                    prop_assert!((last - first + 1) as u128 <= u128::from(burst) + rated);
                }
            }
        }

        /// Who waits as long as it was told is not refused again.
        #[test]
        fn who_comes_when_it_was_told_is_let_in(requests in 1u32..1000, per_s in 1u64..60, burst in 1u32..20) {
            let limiter = of_client(rate(requests, per_s, burst));
            let mut now = limiter.started;
            for _ in 0..100 {
                if let Err(TooSoon { retry_after }) = limiter.take(1, now) {
                    now += retry_after;
                    prop_assert_eq!(limiter.take(1, now), Ok(()));
                }
            }
        }
    }
}
