//! What all requests of a component used.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tombolo_capability::Usage;

/// Sums over the requests of a component whose guests have ended.
#[derive(Debug, Default)]
pub struct Totals {
    requests: AtomicU64,
    loads: AtomicU64,
    cpu_ns: AtomicU64,
    waited_ns: AtomicU64,
    host_calls: AtomicU64,
    memory_bytes_peak: AtomicU64,
    request_bytes: AtomicU64,
    outbound_requests: AtomicU64,
    outbound_bytes: AtomicU64,
}

/// What [`Totals`] say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Guests that have ended.
    pub requests: u64,
    /// How often a request found its code not in memory, and had it brought there.
    pub loads: u64,
    /// What they used: of time and calls the sum, of memory the most that one of them had.
    pub usage: Usage,
}

impl Totals {
    pub(crate) fn add(&self, usage: &Usage) {
        let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.requests.fetch_add(1, Relaxed);
        self.cpu_ns.fetch_add(nanoseconds(usage.cpu), Relaxed);
        self.waited_ns.fetch_add(nanoseconds(usage.waited), Relaxed);
        self.host_calls.fetch_add(usage.host_calls, Relaxed);
        self.memory_bytes_peak.fetch_max(usage.memory_bytes, Relaxed);
        self.request_bytes.fetch_add(usage.request_bytes, Relaxed);
        self.outbound_requests.fetch_add(usage.outbound_requests, Relaxed);
        self.outbound_bytes.fetch_add(usage.outbound_bytes, Relaxed);
    }

    /// Its code was brought into memory for a request.
    pub(crate) fn loaded(&self) {
        self.loads.fetch_add(1, Relaxed);
    }

    /// What they come to now.
    pub fn sum(&self) -> Sum {
        let time = |total: &AtomicU64| std::time::Duration::from_nanos(total.load(Relaxed));
        Sum {
            requests: self.requests.load(Relaxed),
            loads: self.loads.load(Relaxed),
            usage: Usage {
                cpu: time(&self.cpu_ns),
                waited: time(&self.waited_ns),
                host_calls: self.host_calls.load(Relaxed),
                memory_bytes: self.memory_bytes_peak.load(Relaxed),
                request_bytes: self.request_bytes.load(Relaxed),
                outbound_requests: self.outbound_requests.load(Relaxed),
                outbound_bytes: self.outbound_bytes.load(Relaxed),
            },
        }
    }
}
