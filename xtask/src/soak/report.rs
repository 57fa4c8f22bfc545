//! What came of a soak.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::say;

/// Growth of memory from the first to the last minute that is noise: a tenth, and some.
const GROWTH_KB: u64 = 8 << 10;

/// What was got so far.
#[derive(Default)]
pub(super) struct Report(Mutex<Got>);

#[derive(Default)]
struct Got {
    /// Of hello requests, in microseconds.
    latencies: Vec<u32>,
    slow: u64,
    hostile: BTreeMap<&'static str, u64>,
    /// What nobody should get, the first of each kind.
    lost: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn hello(&self, latency: Duration, fine: bool, got: &Result<u16, String>) {
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        self.with(|all| {
            all.latencies.push(micros);
            all.lose("/hello", fine, got);
        });
    }

    pub(super) fn slow(&self, path: &'static str, fine: bool, got: &Result<u16, String>) {
        self.with(|all| {
            all.slow += 1;
            all.lose(path, fine, got);
        });
    }

    pub(super) fn hostile(&self, path: &'static str, fine: bool, got: &Result<u16, String>) {
        self.with(|all| {
            *all.hostile.entry(path).or_default() += 1;
            all.lose(path, fine, got);
        });
    }

    fn with(&self, change: impl FnOnce(&mut Got)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Prints what came of it.
    ///
    /// # Errors
    ///
    /// If a request was lost or memory grew.
    pub(super) fn judge(&self, memory_kb: &[u64], rate: f64, seconds: u64) -> Result<(), String> {
        let mut got = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        got.latencies.sort_unstable();
        let hello = got.latencies.len();
        let at = |share: f64| match hello {
            0 => 0.0,
            _ => f64::from(got.latencies[((hello - 1) as f64 * share) as usize]) / 1000.0,
        };
        let hostile: u64 = got.hostile.values().sum();
        say(&format!("hello: {hello} of {:.0} at {rate:.0}/s", rate * seconds as f64));
        say(&format!(
            "  ms from due to answered: p50 {:.2}, p99 {:.2}, p99.9 {:.2}",
            at(0.5),
            at(0.99),
            at(0.999)
        ));
        say(&format!("slow: {}; hostile: {hostile} over {} attacks", got.slow, got.hostile.len()));
        let part = (memory_kb.len() / 4).max(1);
        let middle = |part: &[u64]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part.get(part.len() / 2).copied().unwrap_or(0)
        };
        let first = middle(&memory_kb[..part.min(memory_kb.len())]);
        let last = middle(&memory_kb[memory_kb.len() - part.min(memory_kb.len())..]);
        say(&format!("anonymous memory, median of the first and the last quarter: {first} kB, {last} kB"));
        for (what, times) in &got.lost {
            say(&format!("lost {times} x {what}"));
        }
        if !got.lost.is_empty() {
            return Err("requests were lost".to_owned());
        }
        if last > first + first / 10 + GROWTH_KB {
            return Err(format!("memory grew from {first} kB to {last} kB"));
        }
        say("no request was lost, and memory is flat");
        Ok(())
    }
}

impl Got {
    fn lose(&mut self, path: &str, fine: bool, got: &Result<u16, String>) {
        if !fine {
            *self.lost.entry(format!("{path}: {got:?}")).or_default() += 1;
        }
    }
}
