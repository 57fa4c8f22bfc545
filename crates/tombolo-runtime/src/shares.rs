//! Who may take how much of a pool that all components share.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Places in a pool, shared by components.
///
/// A component takes as many as it wants while there are plenty. Of the last tenth it takes only what
/// is within its fair share, the places divided by the components at work: so one that floods leaves
/// room for those that come with their first request.
#[derive(Debug)]
pub(crate) struct Shares {
    places: u32,
    taken: AtomicU32,
    /// Components that have at least one place.
    active: AtomicU32,
}

/// What one component has of them.
#[derive(Debug, Default)]
pub(crate) struct Share(AtomicU32);

impl Shares {
    /// `places` places, all free.
    pub(crate) fn new(places: u32) -> Self {
        Self { places, taken: AtomicU32::new(0), active: AtomicU32::new(0) }
    }

    /// Takes `places` for the component that has `share`, if it may have so many more.
    pub(crate) fn take(&self, share: &Share, places: u32) -> bool {
        let taken = self.taken.fetch_add(places, Relaxed);
        let own = share.0.fetch_add(places, Relaxed);
        let active = match own {
            0 => self.active.fetch_add(1, Relaxed) + 1,
            _ => self.active.load(Relaxed),
        };
        let (taken, own) = (taken.saturating_add(places), own.saturating_add(places));
        let plenty = taken <= self.places - self.places / 10;
        let fair = taken <= self.places && own <= self.places / active.max(1);
        if plenty || fair {
            return true;
        }
        self.give_back(share, places);
        false
    }

    /// Gives places back.
    pub(crate) fn give_back(&self, share: &Share, places: u32) {
        if share.0.fetch_sub(places, Relaxed) == places {
            self.active.fetch_sub(1, Relaxed);
        }
        self.taken.fetch_sub(places, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_that_floods_leaves_room_for_the_first_request_of_others() {
        let shares = Shares::new(100);
        let (flood, late) = (Share::default(), Share::default());
        let got = (0..1000).filter(|_| shares.take(&flood, 1)).count();
        assert_eq!(got, 100, "alone, it has all");
        shares.give_back(&flood, 1);
        assert!(shares.take(&late, 1), "what comes free is not for the one who has the most");
        assert!(!shares.take(&flood, 1));
        for _ in 0..20 {
            shares.give_back(&flood, 1);
        }
        let got = (0..1000).filter(|_| shares.take(&flood, 1)).count();
        assert_eq!(got, 10, "to nine tenths and no further, now that it is not alone");
        assert_eq!((0..1000).filter(|_| shares.take(&late, 1)).count(), 10);
    }

    proptest! {
        /// However requests come and go, no place is lost and none is made.
        #[test]
        fn places_are_kept_count_of(steps in prop::collection::vec((0..4_usize, any::<bool>()), 0..400)) {
            let shares = Shares::new(20);
            let components: [Share; 4] = Default::default();
            let mut held = [0_u32; 4];
            for (index, take) in steps {
                if take {
                    held[index] += (1 + index as u32) * u32::from(shares.take(&components[index], 1 + index as u32));
                } else if held[index] > 0 {
                    shares.give_back(&components[index], 1 + index as u32);
                    held[index] -= 1 + index as u32;
                }
                prop_assert!(held.iter().sum::<u32>() <= 20);
                prop_assert_eq!(shares.taken.load(Relaxed), held.iter().sum::<u32>());
                let active = held.iter().filter(|held| **held > 0).count();
                prop_assert_eq!(shares.active.load(Relaxed) as usize, active);
            }
        }
    }
}
