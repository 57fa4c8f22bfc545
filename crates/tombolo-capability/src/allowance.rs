//! What the guests of several components have together: those of a tenant.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use tombolo_model::Quotas;

/// How far ahead of its rate a tenant may be on cores when a request begins.
const BURST: Duration = Duration::from_secs(1);
/// How far ahead it may be while guests are at work: beyond, those that compute are ended.
const RUN: Duration = Duration::from_secs(30);
/// Where there is no bound.
const NONE: u64 = u64::MAX;
/// Over how long it is looked at how much of the cores is used.
const LATELY: Duration = Duration::from_millis(20);
/// So much of all cores is much: one of so many parts.
const MUCH: u64 = 8;

/// What is used now, and its bounds, which may be set anew at any time.
#[derive(Debug)]
pub struct Allowance {
    since: Instant,
    requests: AtomicU32,
    requests_max: AtomicU64,
    memory_bytes: AtomicU64,
    memory_bytes_max: AtomicU64,
    /// Nanoseconds on a core so far.
    cpu_ns: AtomicU64,
    /// Nanoseconds that pass for each millisecond on a core: of a tenant at its bound, the time between two of them.
    cpu_pace_ns: AtomicU64,
    /// Until when, in nanoseconds since `since`, what was used on cores takes at that pace.
    cpu_until_ns: AtomicU64,
    recent: Recent,
}

/// How much of the cores was used not long ago.
#[derive(Debug)]
struct Recent {
    /// When it was looked at last, in nanoseconds.
    looked_ns: AtomicU64,
    /// What had been used until then.
    cpu_ns: AtomicU64,
    is_busy: AtomicBool,
    /// From so many nanoseconds of each millisecond on it is much.
    much_ns: u64,
}

/// Why a request has to wait, or come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// There are as many at once as there may be.
    #[error("as many requests as this tenant may have at once are under way")]
    Requests,
    /// What they have in memory comes to as much as it may.
    #[error("this tenant's instances have all the memory that they may")]
    Memory,
    /// They were on cores for longer than they may.
    #[error("this tenant's instances used all their time on cores")]
    Cpu,
}

impl Allowance {
    /// Within `quotas`, with nothing used yet.
    pub fn new(quotas: &Quotas) -> Arc<Self> {
        let allowance = Self {
            since: Instant::now(),
            requests: AtomicU32::new(0),
            requests_max: AtomicU64::new(NONE),
            memory_bytes: AtomicU64::new(0),
            memory_bytes_max: AtomicU64::new(NONE),
            cpu_ns: AtomicU64::new(0),
            cpu_pace_ns: AtomicU64::new(0),
            cpu_until_ns: AtomicU64::new(0),
            recent: Recent::new(),
        };
        allowance.set(quotas);
        Arc::new(allowance)
    }

    /// Other bounds from now on; who is beyond them keeps what they have.
    pub fn set(&self, quotas: &Quotas) {
        self.requests_max.store(quotas.concurrency_max.map_or(NONE, u64::from), Relaxed);
        self.memory_bytes_max.store(quotas.memory_bytes_max().unwrap_or(NONE), Relaxed);
        let pace = |ms_per_s| Duration::from_secs(1).as_nanos() as u64 / u64::from(ms_per_s).max(1);
        let pace_ns = quotas.cpu_ms_per_s_max.map_or(0, pace);
        let before_ns = self.cpu_pace_ns.swap(pace_ns, Relaxed);
        if before_ns != pace_ns {
            // What is owed is owed at the new rate.
            let now = self.now_ns();
            let owed = |until: u64| {
                let owed = u128::from(until.saturating_sub(now)) * u128::from(pace_ns)
                    / u128::from(before_ns.max(1));
                Some(now.saturating_add(u64::try_from(owed).unwrap_or(u64::MAX)))
            };
            let _ = self.cpu_until_ns.fetch_update(Relaxed, Relaxed, owed);
        }
    }

    /// Requests and messages under way.
    pub fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Bytes of instances, and of what the host holds for them.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Relaxed)
    }

    /// Time on cores so far.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_ns.load(Relaxed))
    }

    /// Begins a request, which ends with [`Self::end`].
    ///
    /// # Errors
    ///
    /// What there is nothing left of.
    pub fn begin(&self) -> Result<(), Exhausted> {
        if self.ahead() > BURST {
            return Err(Exhausted::Cpu);
        }
        if self.memory_bytes.load(Relaxed) >= self.memory_bytes_max.load(Relaxed) {
            return Err(Exhausted::Memory);
        }
        let before = self.requests.fetch_add(1, Relaxed);
        if u64::from(before) >= self.requests_max.load(Relaxed) {
            self.requests.fetch_sub(1, Relaxed);
            return Err(Exhausted::Requests);
        }
        Ok(())
    }

    /// How far ahead of its rate the tenant is on cores.
    fn ahead(&self) -> Duration {
        match self.cpu_pace_ns.load(Relaxed) {
            0 => Duration::ZERO,
            _ => Duration::from_nanos(self.cpu_until_ns.load(Relaxed).saturating_sub(self.now_ns())),
        }
    }

    /// Ends a request.
    pub fn end(&self) {
        self.requests.fetch_sub(1, Relaxed);
    }

    /// A guest was on a core for so long.
    ///
    /// # Errors
    ///
    /// If all of them together were there for longer than they may, by far.
    pub fn spend(&self, cpu: Duration) -> Result<(), Exhausted> {
        let cpu_ns = nanoseconds(cpu);
        self.cpu_ns.fetch_add(cpu_ns, Relaxed);
        let pace_ns = self.cpu_pace_ns.load(Relaxed);
        if pace_ns != 0 {
            let takes_ns = (cpu_ns / 1000).saturating_mul(pace_ns) / 1000;
            let now = self.now_ns();
            // The last one to try again does the same with what the others left.
            let _ = self
                .cpu_until_ns
                .fetch_update(Relaxed, Relaxed, |until| Some(until.max(now).saturating_add(takes_ns)));
        }
        if self.ahead() > RUN { Err(Exhausted::Cpu) } else { Ok(()) }
    }

    /// Whether its guests had more than an eighth of all cores lately.
    pub fn is_busy(&self, now: Instant) -> bool {
        self.recent.is_busy(nanoseconds(now.saturating_duration_since(self.since)), &self.cpu_ns)
    }

    /// Takes memory; whether there was so much left.
    pub(crate) fn take_memory(&self, bytes: u64) -> bool {
        let before = self.memory_bytes.fetch_add(bytes, Relaxed);
        let fits = before.saturating_add(bytes) <= self.memory_bytes_max.load(Relaxed);
        if !fits {
            self.memory_bytes.fetch_sub(bytes, Relaxed);
        }
        fits
    }

    /// Gives memory back.
    pub(crate) fn give_memory_back(&self, bytes: u64) {
        self.memory_bytes.fetch_sub(bytes, Relaxed);
    }

    fn now_ns(&self) -> u64 {
        nanoseconds(self.since.elapsed())
    }
}

impl Recent {
    fn new() -> Self {
        // To count them is to read a dozen files, and there are thousands of tenants.
        static CORES: LazyLock<usize> =
            LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
        Self {
            looked_ns: AtomicU64::new(0),
            cpu_ns: AtomicU64::new(0),
            is_busy: AtomicBool::new(false),
            much_ns: 1_000_000 * *CORES as u64 / MUCH,
        }
    }

    /// Whether it was much, with `cpu_ns` used until now. Two that look at once may see what was before.
    fn is_busy(&self, now_ns: u64, cpu_ns: &AtomicU64) -> bool {
        let looked_ns = self.looked_ns.load(Relaxed);
        let passed_ns = now_ns.saturating_sub(looked_ns);
        if passed_ns >= nanoseconds(LATELY)
            && self.looked_ns.compare_exchange(looked_ns, now_ns, Relaxed, Relaxed).is_ok()
        {
            let used_ns = cpu_ns.load(Relaxed);
            let used_ns = used_ns.saturating_sub(self.cpu_ns.swap(used_ns, Relaxed));
            self.is_busy.store(used_ns / (passed_ns / 1_000_000) >= self.much_ns, Relaxed);
        }
        self.is_busy.load(Relaxed)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_at_once_are_bounded() {
        let allowance = Allowance::new(&Quotas { concurrency_max: Some(2), ..Quotas::default() });
        allowance.begin().unwrap();
        allowance.begin().unwrap();
        assert_eq!(allowance.begin(), Err(Exhausted::Requests));
        allowance.end();
        allowance.begin().unwrap();
        allowance.set(&Quotas::default());
        allowance.begin().unwrap();
        assert_eq!(allowance.requests(), 3);
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let allowance = Allowance::new(&Quotas { memory_mib_max: Some(1), ..Quotas::default() });
        assert!(
            allowance.take_memory(1 << 19) && allowance.take_memory(1 << 19) && !allowance.take_memory(1)
        );
        assert_eq!(allowance.begin(), Err(Exhausted::Memory));
        allowance.give_memory_back(1);
        allowance.begin().unwrap();
    }

    /// Of the last 20 ms and more, whatever was before.
    #[test]
    fn who_had_much_of_the_cores_lately_is_busy() {
        let allowance = Allowance::new(&Quotas::default());
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        let at = |ms| allowance.since + Duration::from_millis(ms);
        let eighths = |eighths: u32, of: Duration| of * cores * eighths / 8;
        assert!(!allowance.is_busy(at(20)));
        allowance.spend(eighths(2, LATELY)).unwrap();
        assert!(!allowance.is_busy(at(30)), "it is looked at now and then");
        assert!(allowance.is_busy(at(40)) && allowance.is_busy(at(59)));
        allowance.spend(eighths(1, LATELY) / 2).unwrap();
        assert!(!allowance.is_busy(at(60)));
        allowance.spend(eighths(8, LATELY)).unwrap();
        assert!(!allowance.is_busy(at(60_000)), "that is little of a minute");
    }

    /// A tenth of a core: 300 ms take three seconds, of which one may be owed.
    #[test]
    fn time_on_cores_is_bounded_over_time() {
        let allowance = Allowance::new(&Quotas { cpu_ms_per_s_max: Some(100), ..Quotas::default() });
        allowance.spend(Duration::from_millis(90)).unwrap();
        allowance.begin().unwrap();
        allowance.spend(Duration::from_millis(210)).unwrap();
        assert_eq!(allowance.begin(), Err(Exhausted::Cpu));
        assert_eq!(allowance.cpu(), Duration::from_millis(300));
        // One that does not end is told as well.
        assert_eq!(allowance.spend(Duration::from_secs(3)), Err(Exhausted::Cpu));
        // At twice the rate it takes half the time.
        let before = allowance.ahead();
        allowance.set(&Quotas { cpu_ms_per_s_max: Some(200), ..Quotas::default() });
        assert!(allowance.ahead() <= before / 2, "{before:?}");
        allowance.set(&Quotas::default());
        allowance.begin().unwrap();
    }
}
