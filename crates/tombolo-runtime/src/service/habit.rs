//! What a component's guests are like, from those it had.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The heavy one counts for as many light ones: a component is heavy if more than a third of its guests are.
const HEAVY: u8 = 2;
/// From so much on the next guest begins where those are that compute: two heavy ones in a row.
const FROM: u8 = 2 * HEAVY;
/// As many light ones later it is light again.
const MOST: u8 = 8;

/// Whether guests of a component mostly compute. Then the next begins in the lane: not all that is long is
/// interrupted, and a bulk operation of memory in its first slice would keep a thread that serves.
///
/// Two that end at once may count as one.
#[derive(Debug, Default)]
pub(super) struct Habit(AtomicU8);

impl Habit {
    /// A guest ended that has computed or not.
    pub(super) fn ended(&self, has_computed: bool) {
        let before = self.0.load(Relaxed);
        let now = if has_computed { (before + HEAVY).min(MOST) } else { before.saturating_sub(1) };
        // All threads read it at every request.
        if now != before {
            self.0.store(now, Relaxed);
        }
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.0.load(Relaxed) >= FROM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_what_more_than_a_third_of_its_guests_are() {
        let (light, heavy) = (false, true);
        let habit = Habit::default();
        let ended = |of: &[bool]| of.iter().for_each(|of| habit.ended(*of));
        ended(&[heavy]);
        assert!(!habit.is_heavy(), "it may have been pushed off its core");
        ended(&[heavy]);
        assert!(habit.is_heavy());
        (0..20).for_each(|_| ended(&[heavy, light]));
        assert!(habit.is_heavy());
        (0..20).for_each(|_| ended(&[heavy, light, light, light]));
        assert!(!habit.is_heavy());
        ended(&[heavy; 100]);
        ended(&[light; 8]);
        assert!(!habit.is_heavy(), "soon it is what it is now");
    }
}
