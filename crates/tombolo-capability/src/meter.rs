//! What one request used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::outbound::OutboundUsage;

/// What one request used so far: its guest adds, whoever records the request reads.
///
/// One thread at a time adds, the one that polls the guest, so nothing here is a read-modify-write.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    cpu_ns: AtomicU64,
    cpu_ns_max: u64,
    /// When the present slice began, in nanoseconds since `started`; 0 between slices.
    slice_ns: AtomicU64,
    /// The thread's clock when the present slice began, if it was read.
    slice_cpu_ns: AtomicU64,
    /// Whether a tick found that the guest computes.
    is_heavy: AtomicBool,
    host_calls: AtomicU64,
    waited_ns: AtomicU64,
    /// When the guest began to wait, in nanoseconds since `started`; 0 while it does not.
    waits_since_ns: AtomicU64,
    /// Whether the guest's pause is for others' sake.
    gave_way: AtomicBool,
    /// Time on a core of threads that work for the guest while it waits.
    elsewhere_ns: AtomicU64,
    /// What was charged to those it shares with.
    charged_ns: AtomicU64,
    memory_bytes: AtomicU64,
    held_bytes: AtomicU64,
    request_bytes: AtomicU64,
    outbound: OutboundUsage,
}

/// How a guest may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Its slice is short so far: as it is.
    Light,
    /// It computes: after others.
    Heavy,
}

/// How long a slice is of a guest that computes, in nanoseconds: longer than most requests take, and shorter than the
/// time between two ticks.
const HEAVY_NS: u64 = 500_000;

/// What a [`Meter`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a core, of the guest and of the host on its behalf.
    ///
    /// A guest that computes for more than a slice is charged by the clock of its thread. A short
    /// one is charged the time that passed while it was polled, since reading that clock costs as
    /// much as a small host call.
    pub cpu: Duration,
    /// Time it waited in calls of the host: for another host, a store, a clock, its client.
    pub waited: Duration,
    /// Calls from the guest to the host, those that manage its memory and resources included.
    pub host_calls: u64,
    /// The most bytes the memories and tables of the instance, and what the host held for it, came to.
    pub memory_bytes: u64,
    /// Bytes of the request's body that the guest took.
    pub request_bytes: u64,
    /// Requests to other hosts, those that were refused included.
    pub outbound_requests: u64,
    /// Bytes of bodies to and from other hosts.
    pub outbound_bytes: u64,
}

/// A guest used all the time on a core that it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it used more than {} ms on a core", limit.as_millis())]
pub struct CpuExceeded {
    /// How much it may use.
    pub limit: Duration,
}

impl Meter {
    /// A meter at zero, for a guest that may be on a core for `cpu_time_max`.
    pub fn new(cpu_time_max: Duration) -> Self {
        Self {
            started: Instant::now(),
            cpu_ns: AtomicU64::new(0),
            cpu_ns_max: nanoseconds(cpu_time_max),
            slice_ns: AtomicU64::new(0),
            slice_cpu_ns: AtomicU64::new(0),
            is_heavy: AtomicBool::new(false),
            host_calls: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            waits_since_ns: AtomicU64::new(0),
            gave_way: AtomicBool::new(false),
            elsewhere_ns: AtomicU64::new(0),
            charged_ns: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
            held_bytes: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            outbound: OutboundUsage::default(),
        }
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            cpu: Duration::from_nanos(self.cpu_ns.load(Relaxed) + self.elsewhere_ns.load(Relaxed)),
            waited: Duration::from_nanos(self.waited_ns.load(Relaxed)),
            host_calls: self.host_calls.load(Relaxed),
            memory_bytes: self.memory_bytes.load(Relaxed) + self.held_bytes.load(Relaxed),
            request_bytes: self.request_bytes.load(Relaxed),
            outbound_requests: self.outbound.requests(),
            outbound_bytes: self.outbound.bytes_sent() + self.outbound.bytes_received(),
        }
    }

    /// What the guest's own requests use.
    pub fn outbound(&self) -> &OutboundUsage {
        &self.outbound
    }

    /// When the request began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The guest is polled until what is returned is dropped.
    pub fn slice(&self) -> Slice<'_> {
        let now = self.now();
        let waits_since = self.waits_since_ns.load(Relaxed);
        let gave_way = self.gave_way.load(Relaxed);
        self.gave_way.store(false, Relaxed);
        if waits_since > 0 && !gave_way {
            self.waited_ns.store(self.waited_ns.load(Relaxed) + (now - waits_since), Relaxed);
        }
        self.slice_ns.store(now, Relaxed);
        let thread = if self.is_heavy.load(Relaxed) { thread_ns() } else { 0 };
        self.slice_cpu_ns.store(thread, Relaxed);
        Slice(self)
    }

    /// Whether and how the guest may go on, asked at every tick of the engine's clock. That seems to be a call of the
    /// host and is none; and who is heavy gives way to others, which is no wait.
    ///
    /// # Errors
    ///
    /// If it has had all its time.
    pub fn tick(&self) -> Result<Pace, CpuExceeded> {
        self.host_calls.store(self.host_calls.load(Relaxed).saturating_sub(1), Relaxed);
        let slice_ns = self.slice_so_far(self.now());
        self.check(self.cpu_ns.load(Relaxed) + slice_ns)?;
        if slice_ns < HEAVY_NS {
            return Ok(Pace::Light);
        }
        self.is_heavy.store(true, Relaxed);
        self.gave_way.store(true, Relaxed);
        Ok(Pace::Heavy)
    }

    /// Whether a tick found that the guest computes.
    pub fn is_heavy(&self) -> bool {
        self.is_heavy.load(Relaxed)
    }

    /// Whether the guest's pause is for others' sake, and it has more to compute.
    pub fn gave_way(&self) -> bool {
        self.gave_way.load(Relaxed)
    }

    /// Time on a core since this was last asked, the present slice included.
    pub fn charged(&self) -> Duration {
        let slice_ns = if self.slice_ns.load(Relaxed) == 0 { 0 } else { self.slice_so_far(self.now()) };
        let used_ns = self.cpu_ns.load(Relaxed) + self.elsewhere_ns.load(Relaxed) + slice_ns;
        // What a slice was guessed at may be more than it is found to be when it ends.
        let before = self.charged_ns.fetch_max(used_ns, Relaxed);
        Duration::from_nanos(used_ns.saturating_sub(before))
    }

    /// Another thread was on a core for the guest for so long: a statement of SQL runs on one.
    ///
    /// # Errors
    ///
    /// If the guest has had all its time: what is done for it ends too.
    pub fn worked_elsewhere(&self, time: Duration) -> Result<(), CpuExceeded> {
        self.elsewhere_ns.fetch_add(nanoseconds(time), Relaxed);
        self.check(self.cpu_ns.load(Relaxed))
    }

    /// Whether `used_ns`, and what other threads used for it, is within the bound.
    fn check(&self, used_ns: u64) -> Result<(), CpuExceeded> {
        match used_ns.saturating_add(self.elsewhere_ns.load(Relaxed)) <= self.cpu_ns_max {
            true => Ok(()),
            false => Err(CpuExceeded { limit: Duration::from_nanos(self.cpu_ns_max) }),
        }
    }

    /// The guest calls the host.
    pub fn host_called(&self) {
        self.host_calls.store(self.host_calls.load(Relaxed) + 1, Relaxed);
    }

    /// The guest took so many bytes of its request's body.
    pub fn received(&self, bytes: u64) {
        self.request_bytes.store(self.request_bytes.load(Relaxed) + bytes, Relaxed);
    }

    /// Memories and tables came to so many bytes.
    pub(crate) fn memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Relaxed);
    }

    /// What the host holds came to so many bytes.
    pub(crate) fn held(&self, bytes: u64) {
        self.held_bytes.store(self.held_bytes.load(Relaxed).max(bytes), Relaxed);
    }

    /// Nanoseconds since the start, never 0.
    fn now(&self) -> u64 {
        nanoseconds(self.started.elapsed()).max(1)
    }

    fn slice_so_far(&self, now: u64) -> u64 {
        let (began, thread) = (self.slice_ns.load(Relaxed), self.slice_cpu_ns.load(Relaxed));
        match (began, thread) {
            (0, _) => 0,
            (_, 0) => now.saturating_sub(began),
            (_, thread) => thread_ns().saturating_sub(thread),
        }
    }
}

/// One poll of a guest.
pub struct Slice<'a>(&'a Meter);

impl Slice<'_> {
    /// Ends the slice and says whether the guest may have another.
    ///
    /// # Errors
    ///
    /// If it has had all its time.
    pub fn end(self) -> Result<(), CpuExceeded> {
        let meter = self.0;
        drop(self);
        meter.check(meter.cpu_ns.load(Relaxed))
    }
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        let now = self.0.now();
        let used = self.0.cpu_ns.load(Relaxed) + self.0.slice_so_far(now);
        self.0.cpu_ns.store(used, Relaxed);
        self.0.slice_ns.store(0, Relaxed);
        self.0.waits_since_ns.store(now, Relaxed);
    }
}

/// What this thread had of a core so far, in nanoseconds, never 0.
pub fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs();
    nanoseconds.max(1)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(meter: &Meter, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::hint::black_box(meter);
        }
    }

    /// A guest that waits is charged for its wait, not for a core; one that gives way for neither.
    #[test]
    fn waiting_is_no_time_on_a_core() {
        let meter = Meter::new(Duration::from_secs(1));
        let slice = meter.slice();
        meter.host_called();
        slice.end().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let slice = meter.slice();
        work(&meter, Duration::from_millis(3));
        assert_eq!(meter.tick(), Ok(Pace::Heavy));
        slice.end().unwrap();
        let usage = meter.usage();
        assert!(usage.waited >= Duration::from_millis(20), "{usage:?}");
        assert!(usage.cpu < Duration::from_millis(20), "{usage:?}");
        std::thread::sleep(Duration::from_millis(20));
        meter.slice().end().unwrap();
        assert_eq!(meter.usage().waited, usage.waited);
        assert_eq!(usage.host_calls, 0, "a tick seemed one, and is none");
        // A pause of its own after that is a wait again.
        std::thread::sleep(Duration::from_millis(20));
        meter.slice().end().unwrap();
        assert!(meter.usage().waited >= usage.waited + Duration::from_millis(20));
    }

    /// Asleep within a slice as a thread is that others push off its core.
    #[test]
    fn a_heavy_guest_is_charged_by_the_clock_of_its_thread() {
        let meter = Meter::new(Duration::from_secs(1));
        assert_eq!(meter.tick(), Ok(Pace::Light));
        assert!(!meter.is_heavy() && !meter.gave_way());
        let slice = meter.slice();
        work(&meter, Duration::from_millis(3));
        assert_eq!(meter.tick(), Ok(Pace::Heavy));
        slice.end().unwrap();
        let slice = meter.slice();
        std::thread::sleep(Duration::from_millis(50));
        work(&meter, Duration::from_millis(5));
        slice.end().unwrap();
        let cpu = meter.usage().cpu;
        assert!(cpu < Duration::from_millis(40), "{cpu:?}");
        assert!(cpu > Duration::from_micros(100), "{cpu:?}");
    }

    #[test]
    fn what_other_threads_do_for_it_counts() {
        let meter = Meter::new(Duration::from_millis(2));
        assert_eq!(meter.worked_elsewhere(Duration::from_millis(1)), Ok(()));
        assert_eq!(meter.usage().cpu, Duration::from_millis(1));
        assert!(meter.worked_elsewhere(Duration::from_millis(2)).is_err());
        assert!(meter.tick().is_err());
    }

    #[test]
    fn all_its_time_is_over_within_a_slice_and_after_it() {
        let meter = Meter::new(Duration::from_millis(2));
        let slice = meter.slice();
        work(&meter, Duration::from_millis(3));
        assert_eq!(meter.tick(), Err(CpuExceeded { limit: Duration::from_millis(2) }));
        assert!(slice.end().is_err());
    }
}
