//! Whether those whose guests are charged together have the node for themselves.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::lane::Party;

/// How long a party counts as there after its last request.
const STAYS: Duration = Duration::from_secs(1);

/// Who asked last, and when somebody else did.
///
/// Alone, a party only reads here. In company the last to write wins, which is as good as any.
#[derive(Debug)]
pub(crate) struct Company {
    since: Instant,
    last: AtomicUsize,
    /// Nanoseconds since `since`; 0 until there was another.
    changed_ns: AtomicU64,
}

impl Company {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), last: AtomicUsize::new(0), changed_ns: AtomicU64::new(0) }
    }

    /// A request of `party` begins. Returns whether another one had a request not long ago.
    pub(crate) fn begins(&self, party: Party, now: Instant) -> bool {
        let now_ns = u64::try_from(now.saturating_duration_since(self.since).as_nanos()).unwrap_or(u64::MAX);
        let last = self.last.load(Relaxed);
        if last != party.0 {
            self.last.store(party.0, Relaxed);
            // The first there is has nobody before it.
            if last != 0 {
                self.changed_ns.store(now_ns.max(1), Relaxed);
            }
        }
        let changed_ns = self.changed_ns.load(Relaxed);
        changed_ns != 0 && now_ns.saturating_sub(changed_ns) < STAYS.as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_alone_is_alone_and_another_counts_for_a_while() {
        let company = Company::new();
        let (one, other) = (Party(1), Party(2));
        let at = |ms: u64| company.since + Duration::from_millis(ms);
        assert!(!company.begins(one, at(0)) && !company.begins(one, at(5000)), "nobody else was there");
        assert!(company.begins(other, at(5001)), "somebody was");
        assert!(company.begins(one, at(5100)) && company.begins(one, at(6000)));
        assert!(!company.begins(one, at(6100)), "the other one has been away for a second");
        assert!(company.begins(other, at(9000)), "it is not told from one that is new");
    }
}
