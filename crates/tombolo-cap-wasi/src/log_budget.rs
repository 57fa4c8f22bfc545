//! How much a component may print.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes a second over all instances of a component. What is above is dropped and counted: to let the
/// guest wait instead would make printing a way to be slow, and a disk is full sooner than a log that
/// nobody can read is of use.
#[derive(Debug)]
pub struct LogBudget {
    bytes_per_s_max: u32,
    window: Mutex<Window>,
}

/// One second.
#[derive(Debug)]
struct Window {
    since: Instant,
    bytes: u64,
    dropped: u64,
}

/// What a budget says to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// Whether these bytes may be printed.
    pub(crate) fits: bool,
    /// Bytes dropped in a second that is over, to be told now.
    pub(crate) dropped: u64,
}

impl LogBudget {
    /// A budget of so many bytes a second.
    pub fn new(bytes_per_s_max: u32) -> Self {
        let window = Mutex::new(Window { since: Instant::now(), bytes: 0, dropped: 0 });
        Self { bytes_per_s_max, window }
    }

    /// The bound.
    pub(crate) fn bytes_per_s_max(&self) -> u32 {
        self.bytes_per_s_max
    }

    /// Asks to print `bytes` at the time `now`.
    pub(crate) fn ask(&self, bytes: usize, now: Instant) -> Ruling {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        if now.saturating_duration_since(window.since) >= Duration::from_secs(1) {
            dropped = window.dropped;
            *window = Window { since: now, bytes: 0, dropped: 0 };
        }
        let after = window.bytes + bytes as u64;
        // A write larger than the bound fits in a second of its own: else it never would.
        let fits = after <= u64::from(self.bytes_per_s_max) || window.bytes == 0;
        match fits {
            true => window.bytes = after,
            false => window.dropped += bytes as u64,
        }
        Ruling { fits, dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_the_bound_is_dropped_and_told_in_the_next_second() {
        let budget = LogBudget::new(100);
        let start = Instant::now();
        assert_eq!(budget.ask(60, start), Ruling { fits: true, dropped: 0 });
        assert_eq!(budget.ask(60, start), Ruling { fits: false, dropped: 0 });
        assert_eq!(budget.ask(40, start), Ruling { fits: true, dropped: 0 });
        let later = start + Duration::from_secs(1);
        assert_eq!(budget.ask(1, later), Ruling { fits: true, dropped: 60 });
        assert_eq!(budget.ask(1, later), Ruling { fits: true, dropped: 0 });
    }
}
