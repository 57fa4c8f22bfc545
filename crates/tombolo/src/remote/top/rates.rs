//! From two counts to what went on between them.

use std::collections::BTreeMap;

use serde::Serialize;
use tombolo_api::metrics::{AppMetrics, Metrics};

/// What went on in one app.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Rate {
    pub(super) tenant: String,
    pub(super) app: String,
    pub(super) requests_per_s: f64,
    /// Those whose status was 500 or more.
    pub(super) errors_per_s: f64,
    /// Half of the requests took no longer, as far as the classes of durations tell.
    pub(super) p50_ms: Option<f64>,
    /// 99 of a hundred took no longer.
    pub(super) p99_ms: Option<f64>,
    pub(super) in_flight: u64,
    /// Cores that its guests kept busy.
    pub(super) cores: f64,
}

/// What one app's releases counted between two moments.
#[derive(Default)]
struct Between {
    requests: u64,
    errors: u64,
    durations: Vec<u64>,
    cpu_us: u64,
    in_flight: u64,
}

/// What went on in each app between two counts.
pub(super) fn rates(before: &Metrics, after: &Metrics) -> Vec<Rate> {
    let seconds = after.at_ms.saturating_sub(before.at_ms).max(1) as f64 / 1e3;
    let mut apps = BTreeMap::<_, Between>::new();
    for now in &after.apps {
        let is_same = |was: &&AppMetrics| {
            (&was.tenant, &was.app, &was.release) == (&now.tenant, &now.app, &now.release)
        };
        let was = before.apps.iter().find(is_same);
        apps.entry((&now.tenant, &now.app)).or_default().add(was, now);
    }
    let rate = |((tenant, app), between): ((_, _), Between)| {
        let quantile = |part| quantile(&after.bounds_us, &between.durations, part).map(|us| us / 1e3);
        Rate {
            tenant: format!("{tenant}"),
            app: format!("{app}"),
            requests_per_s: between.requests as f64 / seconds,
            errors_per_s: between.errors as f64 / seconds,
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            in_flight: between.in_flight,
            cores: between.cpu_us as f64 / 1e6 / seconds,
        }
    };
    apps.into_iter().map(rate).collect()
}

impl Between {
    fn add(&mut self, was: Option<&AppMetrics>, now: &AppMetrics) {
        // A release that was made ready anew began at 0: then all is new.
        let was = was.filter(|was| was.durations.iter().zip(&now.durations).all(|(was, now)| was <= now));
        let old = |of: fn(&AppMetrics) -> u64| was.map_or(0, of);
        self.requests +=
            now.requests.values().sum::<u64>().saturating_sub(old(|was| was.requests.values().sum()));
        let errors = |of: &AppMetrics| of.requests.get("5xx").copied().unwrap_or_default();
        self.errors += errors(now).saturating_sub(old(errors));
        self.cpu_us += now.cpu_us.saturating_sub(old(|was| was.cpu_us));
        self.in_flight += now.in_flight;
        self.durations.resize(now.durations.len().max(self.durations.len()), 0);
        for (class, count) in now.durations.iter().enumerate() {
            let old = was.and_then(|was| was.durations.get(class)).copied().unwrap_or_default();
            self.durations[class] += count.saturating_sub(old);
        }
    }
}

/// The duration in microseconds that this part of the requests did not exceed: within its class as if they were
/// spread evenly, and of what is beyond the last bound that bound.
fn quantile(bounds_us: &[u64], durations: &[u64], part: f64) -> Option<f64> {
    let all: u64 = durations.iter().sum();
    let wanted = all as f64 * part;
    let mut below = 0;
    for (class, count) in durations.iter().enumerate() {
        if *count > 0 && (below + count) as f64 >= wanted {
            let from =
                class.checked_sub(1).and_then(|class| bounds_us.get(class)).copied().unwrap_or(0) as f64;
            let to = bounds_us.get(class).map_or(from, |bound| *bound as f64);
            return Some(from + (to - from) * (wanted - below as f64) / *count as f64);
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(release: &str, ok: u64, errors: u64, durations: [u64; 3]) -> AppMetrics {
        AppMetrics {
            tenant: "ada".parse().unwrap(),
            app: "shop".parse().unwrap(),
            release: release.to_owned(),
            requests: BTreeMap::from([("2xx".to_owned(), ok), ("5xx".to_owned(), errors)]),
            durations: durations.to_vec(),
            took_us: 0,
            in_flight: 1,
            inside_requests: 0,
            at_work: 0,
            loads: 0,
            cpu_us: 1_000_000 * ok,
            memory_bytes_peak: 0,
            outbound_requests: 0,
            outbound_bytes: 0,
        }
    }

    fn metrics(at_ms: u64, apps: Vec<AppMetrics>) -> Metrics {
        Metrics { at_ms, bounds_us: vec![1000, 10_000], apps, tenants: Vec::new(), node: None }
    }

    #[test]
    fn what_went_on_is_the_difference_over_all_releases_of_an_app() {
        let before = metrics(0, vec![app("old", 10, 0, [10, 0, 0])]);
        let after = metrics(2000, vec![app("old", 12, 0, [12, 0, 0]), app("new", 3, 1, [2, 2, 0])]);
        let rates = rates(&before, &after);
        assert_eq!(rates.len(), 1);
        let Rate { requests_per_s, errors_per_s, p50_ms, in_flight, cores, .. } = &rates[0];
        assert_eq!((*requests_per_s, *errors_per_s, *in_flight, *cores), (3.0, 0.5, 2, 2.5));
        assert_eq!(*p50_ms, Some(0.75), "the third of four in the first class");
    }

    #[test]
    fn what_began_anew_is_not_less_than_nothing() {
        let before = metrics(0, vec![app("one", 1000, 5, [1005, 0, 0])]);
        let rates = rates(&before, &metrics(1000, vec![app("one", 7, 0, [7, 0, 0])]));
        assert_eq!((rates[0].requests_per_s, rates[0].errors_per_s), (7.0, 0.0));
    }

    #[test]
    fn quantiles_are_within_their_class_and_never_beyond_the_last_bound() {
        let bounds = [1000, 10_000];
        assert_eq!(quantile(&bounds, &[0, 0, 0], 0.5), None);
        assert_eq!(quantile(&bounds, &[0, 4, 0], 0.5), Some(5500.0));
        assert_eq!(quantile(&bounds, &[99, 0, 1], 0.99), Some(1000.0));
        assert_eq!(quantile(&bounds, &[1, 0, 9], 0.99), Some(10_000.0));
    }
}
