//! Connections that wait for the next request of their component.
//!
//! A client of a database puts its connection here once nothing of its guest is left on it. It keeps its slot,
//! which is taken back as soon as another connection needs one: then, or after some idle seconds, it is closed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tombolo_model::networking::Protocol;

use crate::{Bounds, Egress, Slot};

/// How long a connection waits. A client that comes back does so at once; a server has better uses for a
/// connection than to wait with it.
const WAIT: Duration = Duration::from_secs(10);
/// How often those that waited too long are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// A connection that can wait: closed when it is dropped.
pub trait Connection: Send + 'static {
    /// Whether it may be used again, as far as can be told without asking the server.
    fn is_open(&self) -> bool;
}

/// The waiting connections of one component, all of one protocol.
pub struct Idle<C> {
    wait: Duration,
    look: Duration,
    slots: Arc<Semaphore>,
    returning: watch::Sender<usize>,
    /// The node's, which are told when a connection begins to wait.
    bounds: Arc<Bounds>,
    protocol: Protocol,
    state: Mutex<State<C>>,
}

/// A connection on its way back; see [`Idle::returning`].
#[derive(Debug)]
pub struct Returning(watch::Sender<usize>);

impl Drop for Returning {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

struct State<C> {
    /// The longest waiting first.
    waiting: Vec<Waiting<C>>,
    /// Whether a task looks for those that waited too long.
    looked_after: bool,
}

struct Waiting<C> {
    key: Box<str>,
    connection: C,
    slot: Slot,
    since: Instant,
}

/// What can give a slot back: the waiting connections of any protocol.
pub trait Waits: Send + Sync {
    /// Since when the first of them waits.
    fn oldest(&self) -> Option<Instant>;
    /// Closes that one and gives its slot.
    fn let_go(&self) -> Option<Slot>;
}

impl<C: Connection> Idle<C> {
    /// None yet; a connection over `egress` that finds no slot free takes that of one that waits here.
    pub fn of(egress: &Egress, protocol: Protocol) -> Arc<Self> {
        Self::lasting(egress, protocol, WAIT, LOOK)
    }

    fn lasting(egress: &Egress, protocol: Protocol, wait: Duration, look: Duration) -> Arc<Self> {
        let state = Mutex::new(State { waiting: Vec::new(), looked_after: false });
        let (slots, returning) = (Arc::clone(&egress.slots), egress.returning.clone());
        let bounds = Arc::clone(&egress.common().bounds);
        let idle = Arc::new(Self { wait, look, slots, returning, bounds, protocol, state });
        egress.waits(protocol, &idle);
        idle
    }

    /// A connection is being cleaned or closed, and gives back its slot before what is returned is dropped: who
    /// needs a slot waits for that.
    pub fn returning(&self) -> Returning {
        self.returning.send_modify(|count| *count += 1);
        Returning(self.returning.clone())
    }

    /// The connection that was put last with this key and is still open. The key is all that makes a connection
    /// what it is: address, user, password.
    pub fn take(&self, key: &str) -> Option<(C, Slot)> {
        let mut closed = Vec::new();
        let mut state = self.state();
        let found = loop {
            let Some(index) = state.waiting.iter().rposition(|waiting| &*waiting.key == key) else {
                break None;
            };
            let waiting = state.waiting.remove(index);
            if waiting.connection.is_open() {
                break Some((waiting.connection, waiting.slot));
            }
            closed.push(waiting);
        };
        drop(state);
        found
    }

    /// The same; where no slot is free for a new one, it waits for those that come back.
    pub async fn take_soon(&self, key: &str) -> Option<(C, Slot)> {
        let mut changes = self.returning.subscribe();
        loop {
            // Asked first: one that comes back after this is seen as a change.
            let returning = *changes.borrow_and_update();
            if let Some(found) = self.take(key) {
                return Some(found);
            }
            if returning == 0 || self.slots.available_permits() > 0 {
                return None;
            }
            // The other end is in this very value.
            let _ = changes.changed().await;
        }
    }

    /// Keeps a connection for the next [`Self::take`]. Nothing of whoever had it may be left on it. Called in a
    /// runtime.
    pub fn put(self: &Arc<Self>, key: &str, connection: C, slot: Slot) {
        let mut state = self.state();
        state.waiting.push(Waiting { key: key.into(), connection, slot, since: Instant::now() });
        if !state.looked_after {
            state.looked_after = true;
            tokio::spawn(look_after(Arc::downgrade(self), self.look));
        }
        drop(state);
        self.bounds.parked(self.protocol);
    }

    /// Closes those that waited too long. Whether any are left.
    fn look(&self) -> bool {
        let mut state = self.state();
        let late = state.waiting.iter().take_while(|waiting| waiting.since.elapsed() >= self.wait).count();
        let closed: Vec<_> = state.waiting.drain(..late).collect();
        state.looked_after = !state.waiting.is_empty();
        let left = state.looked_after;
        drop(state);
        drop(closed);
        left
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look_after<C: Connection>(idle: Weak<Idle<C>>, look: Duration) {
    loop {
        tokio::time::sleep(look).await;
        if !idle.upgrade().is_some_and(|idle| idle.look()) {
            return;
        }
    }
}

impl<C: Connection> Waits for Idle<C> {
    fn oldest(&self) -> Option<Instant> {
        self.state().waiting.first().map(|waiting| waiting.since)
    }

    fn let_go(&self) -> Option<Slot> {
        let mut state = self.state();
        let first = (!state.waiting.is_empty()).then(|| state.waiting.remove(0));
        drop(state);
        first.map(|waiting| waiting.slot)
    }
}

impl<C> fmt::Debug for Idle<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No keys: they hold passwords.
        formatter.debug_struct("Idle").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use tombolo_model::outbound::AllowedHosts;

    use super::*;
    use crate::{EgressConfig, EgressError};

    struct Fake {
        key: String,
        open: bool,
        closed: Arc<AtomicUsize>,
    }

    impl Connection for Fake {
        fn is_open(&self) -> bool {
            self.open
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            self.closed.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Bench {
        egress: Arc<Egress>,
        idle: Arc<Idle<Fake>>,
        closed: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new(connections_max: u32) -> Self {
            let allowed = Arc::new(AllowedHosts::none());
            let egress = Egress::new(EgressConfig { connections_max, ..EgressConfig::to(allowed) });
            let idle = Idle::of(&egress, Protocol::Http);
            Self { egress, idle, closed: Arc::default() }
        }

        fn put(&self, key: &str, slot: Slot) {
            let closed = Arc::clone(&self.closed);
            self.idle.put(key, Fake { key: key.to_owned(), open: true, closed }, slot);
        }

        fn closed(&self) -> usize {
            self.closed.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_connection_waits_and_is_closed_when_it_waited_too_long() {
        let (wait, look) = (Duration::from_millis(50), Duration::from_millis(5));
        let bench = Bench::new(2);
        let bench = Bench { idle: Idle::lasting(&bench.egress, Protocol::Http, wait, look), ..bench };
        for closed in 1..=2 {
            bench.put("a", bench.egress.slot().unwrap());
            let put = Instant::now();
            let (connection, slot) = bench.idle.take("a").unwrap();
            bench.idle.put("a", connection, slot);
            // The task that looks ends with the last; the second time another starts.
            while bench.closed() < closed {
                tokio::time::sleep(look).await;
            }
            assert!(put.elapsed() >= wait);
            assert!(bench.idle.take("a").is_none());
        }
        assert!(!bench.idle.state().looked_after);
    }

    #[tokio::test]
    async fn a_connection_that_the_server_closed_is_not_given() {
        let bench = Bench::new(2);
        let slot = bench.egress.slot().unwrap();
        bench.idle.put("a", Fake { key: "a".into(), open: false, closed: Arc::clone(&bench.closed) }, slot);
        assert!(bench.idle.take("a").is_none());
        assert_eq!(bench.closed(), 1);
    }

    #[tokio::test]
    async fn who_needs_a_slot_gets_that_of_the_longest_waiting_of_all_protocols() {
        let bench = Bench::new(2);
        let other = Idle::<Fake>::of(&bench.egress, Protocol::Mysql);
        let closed: Arc<AtomicUsize> = Arc::default();
        let (one, two) = (bench.egress.slot().unwrap(), bench.egress.slot().unwrap());
        other.put("x", Fake { key: "x".into(), open: true, closed: Arc::clone(&closed) }, one);
        bench.put("a", two);
        let _third = bench.egress.slot().unwrap();
        assert_eq!((closed.load(Ordering::Relaxed), bench.closed()), (1, 0));
        let _fourth = bench.egress.slot().unwrap();
        assert_eq!(bench.closed(), 1);
        assert!(matches!(bench.egress.slot(), Err(EgressError::Busy)));
    }

    #[tokio::test]
    async fn who_needs_a_slot_waits_for_a_connection_that_comes_back() {
        let bench = Bench::new(1);
        let slot = bench.egress.slot().unwrap();
        assert!(matches!(bench.egress.slot_soon().await, Err(EgressError::Busy)), "none comes back");
        let (cleaned, closed) = (bench.idle.returning(), bench.idle.returning());
        let both = async {
            tokio::task::yield_now().await;
            drop(closed);
            tokio::task::yield_now().await;
            bench.put("a", slot);
            drop(cleaned);
        };
        let (got, ()) = tokio::join!(bench.egress.slot_soon(), both);
        bench.put("a", got.unwrap());
        assert_eq!(bench.closed(), 1);

        // Rather the very connection than a new one.
        let (connection, slot) = bench.idle.take("a").unwrap();
        let cleaned = bench.idle.returning();
        let back = async {
            tokio::task::yield_now().await;
            bench.idle.put("a", connection, slot);
            drop(cleaned);
        };
        let (got, ()) = tokio::join!(bench.idle.take_soon("a"), back);
        assert!(got.is_some() && bench.closed() == 1);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Open,
        Put(usize),
        Take(usize),
        Close,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Open),
            (0..3_usize).prop_map(Step::Put),
            (0..3_usize).prop_map(Step::Take),
            Just(Step::Close),
        ]
    }

    proptest! {
        /// Whatever is done, there are as many connections as slots taken, never more than there may be; a slot
        /// is refused only when all are in use; and a key gives its own connections alone.
        #[test]
        fn slots_are_never_lost_nor_exceeded(max in 1..4_u32, steps in proptest::collection::vec(step(), 0..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _inside = runtime.enter();
            let bench = Bench::new(max);
            let keys = ["a", "b", "c"];
            let mut used: Vec<Slot> = Vec::new();
            let mut waiting = Vec::new();
            for step in steps {
                match step {
                    Step::Open => match bench.egress.slot() {
                        Ok(slot) => {
                            // The longest waiting made room, if there was none.
                            if used.len() + waiting.len() == max as usize {
                                waiting.remove(0);
                            }
                            used.push(slot);
                        }
                        Err(_) => prop_assert_eq!(used.len(), max as usize),
                    },
                    Step::Put(key) => if let Some(slot) = used.pop() {
                        bench.put(keys[key], slot);
                        waiting.push(keys[key]);
                    },
                    Step::Take(key) => {
                        let expected = waiting.iter().rposition(|waiting| *waiting == keys[key]);
                        let taken = bench.idle.take(keys[key]);
                        prop_assert_eq!(taken.is_some(), expected.is_some());
                        if let (Some((connection, slot)), Some(index)) = (taken, expected) {
                            prop_assert_eq!(&connection.key, keys[key]);
                            waiting.remove(index);
                            used.push(slot);
                        }
                    }
                    Step::Close => drop(used.pop()),
                }
                prop_assert!(used.len() + waiting.len() <= max as usize);
                prop_assert_eq!(bench.idle.state().waiting.len(), waiting.len());
            }
        }
    }
}
