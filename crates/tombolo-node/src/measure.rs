//! What a platform counted until now, gathered when somebody asks: nothing here is on the path of a request.
//!
//! [`Metrics`] are numbers and names alone. Who sends them elsewhere, as OpenTelemetry's collectors want it, calls
//! this again and again as the control interface does.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use tombolo_control::metrics::{AppMetrics, Metrics, NodeMetrics, TenantMetrics};
use tombolo_gateway::{BOUNDS_US, Counted, Counts, Gateway, STATUSES};
use tombolo_model::{AppKey, Digest};
use tombolo_runtime::Runtime;

use crate::stage::Standing;

/// Digits of a digest that tell a release from others.
const RELEASE_DIGITS: usize = 12;

/// Where what happens is counted.
#[derive(Default)]
pub(crate) struct Measures(Mutex<State>);

#[derive(Default)]
struct State {
    /// As long as something counts there: a release that is made ready once more goes on counting.
    counts: HashMap<(AppKey, Digest), Weak<Counts>>,
    served: Vec<(AppKey, Arc<Standing>)>,
}

impl Measures {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where requests for a release are counted.
    pub(crate) fn counts(&self, key: &AppKey, release: Digest) -> Arc<Counts> {
        let mut state = self.state();
        let counts = state.counts.entry((key.clone(), release)).or_default();
        counts.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Counts::default());
            *counts = Arc::downgrade(&new);
            new
        })
    }

    /// From now on these are served.
    pub(crate) fn serve(&self, served: Vec<(AppKey, Arc<Standing>)>) {
        let before = {
            let mut state = self.state();
            state.counts.retain(|_, counts| counts.strong_count() > 0);
            std::mem::replace(&mut state.served, served)
        };
        // With it goes the code of what was served, which takes its time.
        drop(before);
    }

    /// What was counted, of apps that are wanted; what `tenants` use is told with it.
    pub(crate) fn measure(
        &self,
        gateway: &Gateway,
        runtime: &Runtime,
        wanted: &dyn Fn(&AppKey) -> bool,
        tenants: Vec<TenantMetrics>,
    ) -> Metrics {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let served: Vec<_> = self.state().served.iter().filter(|(key, _)| wanted(key)).cloned().collect();
        Metrics {
            at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            bounds_us: BOUNDS_US.to_vec(),
            apps: served.iter().map(|(key, standing)| app(key, standing)).collect(),
            tenants,
            node: Some(node(gateway, runtime)),
        }
    }
}

fn app(key: &AppKey, standing: &Standing) -> AppMetrics {
    let counted = standing.loaded.counts.counted();
    let mut metrics = AppMetrics {
        tenant: key.tenant.clone(),
        app: key.app.clone(),
        release: standing.release.hex().chars().take(RELEASE_DIGITS).collect(),
        requests: by_status(&counted),
        durations: counted.by_duration.to_vec(),
        took_us: u64::try_from(counted.took.as_micros()).unwrap_or(u64::MAX),
        in_flight: counted.in_flight,
        inside_requests: counted.inside,
        at_work: 0,
        loads: 0,
        cpu_us: 0,
        memory_bytes_peak: 0,
        outbound_requests: 0,
        outbound_bytes: 0,
    };
    for service in &standing.loaded.services {
        let sum = service.totals().sum();
        metrics.at_work += service.at_work();
        metrics.loads += sum.loads;
        metrics.cpu_us += u64::try_from(sum.usage.cpu.as_micros()).unwrap_or(u64::MAX);
        metrics.memory_bytes_peak = metrics.memory_bytes_peak.max(sum.usage.memory_bytes);
        metrics.outbound_requests += sum.usage.outbound_requests;
        metrics.outbound_bytes += sum.usage.outbound_bytes;
    }
    metrics
}

/// All of them, also those that are zero: what is counted does not come into being with its first request.
fn by_status(counted: &Counted) -> BTreeMap<String, u64> {
    STATUSES.iter().map(|status| (*status).to_owned()).zip(counted.by_status).collect()
}

fn node(gateway: &Gateway, runtime: &Runtime) -> NodeMetrics {
    NodeMetrics {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        unknown_requests: by_status(&gateway.unknown()),
        connections: gateway.connections(),
        waiting: runtime.waiting(),
        memory_bytes: resident(),
        open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
    }
}

/// Bytes of this process in memory, as Linux says it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
