//! Whose turn it is.

use std::collections::{HashMap, VecDeque};

use super::Party;

/// What is ready, by party. The next is of the party that had the least of the cores.
///
/// One that comes begins with what the one has that had the least, so it neither waits for the others nor makes them
/// wait for what it left unused.
pub(super) struct Queue<T> {
    /// Those that have something ready, or on a thread.
    parties: HashMap<Party, Ready<T>>,
    /// What the one had that was next last.
    floor_ns: u64,
    waiting: u64,
    is_shut: bool,
    /// Threads that were started.
    pub(super) threads: usize,
    /// Threads that wait for something to be ready, those that are being started among them.
    pub(super) idle: usize,
}

struct Ready<T> {
    jobs: VecDeque<T>,
    on_threads: usize,
    /// What it had of the cores, and where it began.
    used_ns: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { parties: HashMap::new(), floor_ns: 0, waiting: 0, is_shut: false, threads: 0, idle: 0 }
    }
}

impl<T> Queue<T> {
    /// Puts one in as the last of its party; gives it back once the queue is shut.
    pub(super) fn push(&mut self, party: Party, job: T) -> Option<T> {
        if self.is_shut {
            return Some(job);
        }
        let fresh = || Ready { jobs: VecDeque::new(), on_threads: 0, used_ns: self.floor_ns };
        self.parties.entry(party).or_insert_with(fresh).jobs.push_back(job);
        self.waiting += 1;
        None
    }

    /// Takes out the next for a thread, which says [`Self::ran`] when its slice is over.
    pub(super) fn next(&mut self) -> Option<(Party, T)> {
        let ready = self.parties.iter_mut().filter(|(_, ready)| !ready.jobs.is_empty());
        let (party, ready) = ready.min_by_key(|(_, ready)| ready.used_ns)?;
        let job = ready.jobs.pop_front()?;
        ready.on_threads += 1;
        self.floor_ns = self.floor_ns.max(ready.used_ns);
        self.waiting -= 1;
        Some((*party, job))
    }

    /// One of `party` was on a core for so long.
    pub(super) fn ran(&mut self, party: Party, used_ns: u64) {
        let Some(ready) = self.parties.get_mut(&party) else { return };
        ready.used_ns = ready.used_ns.saturating_add(used_ns);
        ready.on_threads -= 1;
        if ready.on_threads == 0 && ready.jobs.is_empty() {
            self.parties.remove(&party);
        }
    }

    /// How many wait for a thread.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Takes out all, and nothing in from now on.
    pub(super) fn shut(&mut self) -> Vec<T> {
        self.is_shut = true;
        self.waiting = 0;
        self.parties.drain().flat_map(|(_, ready)| ready.jobs).collect()
    }

    pub(super) fn is_shut(&self) -> bool {
        self.is_shut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However many each has ready and however long each one's slices are, parties that always have something
        /// ready differ by a slice at most in what they had.
        #[test]
        fn parties_have_equal_parts(guests in prop::collection::vec((1_usize..20, 1_u64..1000), 1..8)) {
            let mut queue = Queue::default();
            for (party, (many, slice_ns)) in guests.iter().enumerate() {
                for _ in 0..*many {
                    prop_assert!(queue.push(Party(party), *slice_ns).is_none());
                }
            }
            let mut had = vec![0; guests.len()];
            for _ in 0..2000 {
                let (party, slice_ns) = queue.next().expect("all come back");
                had[party.0] += slice_ns;
                queue.push(party, slice_ns);
                queue.ran(party, slice_ns);
            }
            let longest = guests.iter().map(|(_, slice_ns)| *slice_ns).max().unwrap_or(0);
            let (least, most) = (had.iter().min().unwrap(), had.iter().max().unwrap());
            prop_assert!(most - least <= longest, "{had:?}");
        }
    }

    /// One that was away is not served before all others until it has caught up.
    #[test]
    fn who_comes_late_has_no_claim_on_the_past() {
        let mut queue = Queue::default();
        let turn = |queue: &mut Queue<()>| {
            let (party, ()) = queue.next().unwrap();
            queue.push(party, ());
            queue.ran(party, 10);
            party
        };
        queue.push(Party(1), ());
        (0..100).for_each(|_| assert_eq!(turn(&mut queue), Party(1)));
        queue.push(Party(2), ());
        let of_two = (0..10).filter(|_| turn(&mut queue) == Party(2)).count();
        assert!((4..=6).contains(&of_two), "{of_two}");
    }

    #[test]
    fn what_is_shut_keeps_nothing() {
        let mut queue = Queue::default();
        queue.push(Party(1), 'a');
        queue.push(Party(2), 'b');
        assert_eq!((queue.waiting(), queue.shut().len(), queue.waiting()), (2, 2, 0));
        assert_eq!(queue.push(Party(1), 'c'), Some('c'));
        assert!(queue.next().is_none());
        // One that was on a thread comes back to a queue that knows its party no more.
        queue.ran(Party(1), 1);
    }
}
