//! The bound on the memory of a whole instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasmtime::ResourceLimiter;

use crate::allowance::Allowance;
use crate::meter::Meter;

/// How many bytes the linear memories and tables of one instance, and what the host holds for it,
/// have and may have together.
///
/// A component is many core modules, each with memories of its own; a bound on each would be no
/// bound on their sum.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: u64,
    /// Of memories and tables. They never shrink, so this is their peak as well.
    bytes: u64,
    /// Of what the host holds in resources, as last counted.
    held_bytes: u64,
    /// What the host holds besides resources.
    aside: HostMemory,
    meter: Arc<Meter>,
    shared: Shared,
    is_starved: bool,
}

/// What a guest takes of what several have together.
#[derive(Debug, Default)]
struct Shared {
    of: Option<Arc<Allowance>>,
    bytes: u64,
}

impl Shared {
    /// From now on so much is taken; whether there was so much left. Giving back always goes.
    fn set(&mut self, bytes: u64) -> bool {
        let Some(allowance) = &self.of else { return true };
        match bytes.checked_sub(self.bytes) {
            Some(more) if !allowance.take_memory(more) => return false,
            Some(_) => {}
            None => allowance.give_memory_back(self.bytes - bytes),
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// An instance has more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it and what the host holds for it came to more than {} MiB", bytes_max >> 20)]
pub struct MemoryExceeded {
    /// How much it may have.
    pub bytes_max: u64,
}

/// The part of a [`MemoryBudget`] that is taken for what the host holds besides resources: the rows of a
/// result, on their way to the guest. Any thread may take from it.
#[derive(Clone, Debug)]
pub struct HostMemory(Arc<Aside>);

#[derive(Debug)]
struct Aside {
    bytes_max: u64,
    /// What memories, tables and resources leave.
    left: AtomicU64,
    taken: AtomicU64,
    shared: Option<Arc<Allowance>>,
}

impl HostMemory {
    /// So many bytes, of which `shared` has to have as much left.
    pub fn new(bytes_max: u64, shared: Option<Arc<Allowance>>) -> Self {
        Self(Arc::new(Aside { bytes_max, left: AtomicU64::new(bytes_max), taken: AtomicU64::new(0), shared }))
    }

    fn taken(&self) -> u64 {
        self.0.taken.load(Relaxed)
    }

    /// Takes `bytes` until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// If there is not so much left.
    pub fn take(&self, bytes: u64) -> Result<HeldMemory, MemoryExceeded> {
        let mut held = HeldMemory { memory: self.clone(), bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }
}

/// Memory of the host that an instance is charged for; no longer once this is dropped.
#[derive(Debug)]
pub struct HeldMemory {
    memory: HostMemory,
    bytes: u64,
}

impl HeldMemory {
    /// Takes more.
    ///
    /// # Errors
    ///
    /// If there is not so much left; what was taken before stays taken.
    pub fn grow(&mut self, bytes: u64) -> Result<(), MemoryExceeded> {
        // Nothing is always left, also while another takes too much and is about to give it back.
        if bytes == 0 {
            return Ok(());
        }
        let aside = &*self.memory.0;
        let before = aside.taken.fetch_add(bytes, Relaxed);
        let fits = before.saturating_add(bytes) <= aside.left.load(Relaxed);
        if !fits || !aside.shared.as_ref().is_none_or(|shared| shared.take_memory(bytes)) {
            aside.taken.fetch_sub(bytes, Relaxed);
            return Err(MemoryExceeded { bytes_max: aside.bytes_max });
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        let aside = &*self.memory.0;
        aside.taken.fetch_sub(self.bytes, Relaxed);
        aside.shared.iter().for_each(|shared| shared.give_memory_back(self.bytes));
    }
}

/// What one table element costs the host: a pointer.
const TABLE_ELEMENT_BYTES: u64 = 8;

impl MemoryBudget {
    /// A budget of `bytes_max` bytes, none of them used, whose use `meter` shows.
    pub fn new(bytes_max: u64, meter: Arc<Meter>) -> Self {
        Self::within(bytes_max, meter, None)
    }

    /// The same, of which `allowance` has to have as much left.
    pub fn within(bytes_max: u64, meter: Arc<Meter>, allowance: Option<Arc<Allowance>>) -> Self {
        let aside = HostMemory::new(bytes_max, allowance.clone());
        let shared = Shared { of: allowance, bytes: 0 };
        Self { bytes_max, bytes: 0, held_bytes: 0, aside, meter, shared, is_starved: false }
    }

    /// What the host takes from for what it holds besides resources.
    pub fn host(&self) -> &HostMemory {
        &self.aside
    }

    /// Whether it lacked memory that it may have itself, because others have what they may have together.
    pub fn is_starved(&self) -> bool {
        self.is_starved
    }

    /// Says what is left for [`HostMemory`].
    fn leave(&self) {
        let used = self.bytes.saturating_add(self.held_bytes);
        self.aside.0.left.store(self.bytes_max.saturating_sub(used), Relaxed);
    }

    /// Another request is charged from now on: what the instance has is what it starts from.
    pub(crate) fn charge(&mut self, meter: Arc<Meter>) {
        meter.memory(self.bytes);
        self.meter = meter;
    }

    /// The host holds so many bytes now.
    ///
    /// # Errors
    ///
    /// If that is more than there is left.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<(), MemoryExceeded> {
        self.held_bytes = bytes;
        self.leave();
        let held = bytes.saturating_add(self.aside.taken());
        self.meter.held(held);
        let fits = self.bytes.saturating_add(held) <= self.bytes_max;
        match fits && self.shared.set(self.bytes.saturating_add(bytes)) {
            true => Ok(()),
            false => Err(MemoryExceeded { bytes_max: self.bytes_max }),
        }
    }

    /// Takes what growing from `current` to `desired` costs, if there is so much.
    fn take(&mut self, current: u64, desired: u64) -> bool {
        let after = self.bytes.saturating_add(desired.saturating_sub(current));
        let held = self.held_bytes.saturating_add(self.aside.taken());
        let is_within = after.saturating_add(held) <= self.bytes_max;
        let fits = is_within && self.shared.set(after.saturating_add(self.held_bytes));
        self.is_starved |= is_within && !fits;
        if fits {
            self.bytes = after;
            self.leave();
            self.meter.memory(after);
        }
        fits
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Beyond the memory's own maximum the growth fails anyway and must cost nothing.
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(possible && self.take(current as u64, desired as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        let bytes = |elements: usize| (elements as u64).saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(possible && self.take(bytes(current), bytes(desired)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_sum_of_all_memories_is_bounded() {
        let meter = Arc::new(Meter::new(Duration::MAX));
        let mut budget = MemoryBudget::new(100, Arc::clone(&meter));
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert!(!budget.memory_growing(0, 60, None).unwrap(), "a second memory shares the budget");
        assert!(budget.table_growing(0, 5, None).unwrap(), "five pointers are the last 40 bytes");
        assert!(!budget.memory_growing(60, 61, None).unwrap());
        assert_eq!(meter.usage().memory_bytes, 100);
    }

    /// Whatever others took meanwhile.
    #[test]
    fn nothing_can_always_be_taken() {
        let budget = MemoryBudget::new(100, Arc::new(Meter::new(Duration::MAX)));
        let _all = budget.host().take(100).unwrap();
        budget.aside.0.left.store(50, Relaxed);
        assert!(budget.host().take(0).is_ok() && budget.host().take(1).is_err());
    }

    /// Who asks for more than it may have is told so also while others have all there is.
    #[test]
    fn who_starves_is_told_from_who_is_greedy() {
        let quotas = tombolo_model::Quotas { memory_mib_max: Some(1), ..Default::default() };
        let allowance = Allowance::new(&quotas);
        let budget = || {
            MemoryBudget::within(1 << 20, Arc::new(Meter::new(Duration::MAX)), Some(Arc::clone(&allowance)))
        };
        let (mut first, mut second) = (budget(), budget());
        assert!(first.memory_growing(0, 1 << 20, None).unwrap());
        assert!(!second.memory_growing(0, 2 << 20, None).unwrap() && !second.is_starved());
        assert!(!second.memory_growing(0, 1, None).unwrap() && second.is_starved());
        assert!(!first.is_starved());
    }

    #[test]
    fn a_growth_that_cannot_be_costs_nothing() {
        let meter = Arc::new(Meter::new(Duration::MAX));
        let mut budget = MemoryBudget::new(100, Arc::clone(&meter));
        assert!(!budget.memory_growing(0, 60, Some(50)).unwrap());
        assert!(!budget.table_growing(0, usize::MAX, None).unwrap());
        assert_eq!(meter.usage().memory_bytes, 0);
    }

    #[test]
    fn what_the_host_holds_aside_shares_the_budget() {
        let mut budget = MemoryBudget::new(100, Arc::new(Meter::new(Duration::MAX)));
        let host = budget.host().clone();
        assert!(budget.memory_growing(0, 40, None).unwrap());
        let mut held = host.take(30).unwrap();
        assert!(!budget.memory_growing(40, 80, None).unwrap());
        assert!(held.grow(31).is_err());
        assert!(held.grow(30).is_ok(), "what was refused costs nothing");
        assert_eq!(budget.hold(1), Err(MemoryExceeded { bytes_max: 100 }));
        drop(held);
        assert_eq!(budget.hold(1), Ok(()));
        assert!(host.take(60).is_err());
        assert!(host.take(59).is_ok());
    }

    /// Headers and other resources come out of the same budget, first come, first served.
    #[test]
    fn what_the_host_holds_shares_the_budget() {
        let meter = Arc::new(Meter::new(Duration::MAX));
        let mut budget = MemoryBudget::new(100, Arc::clone(&meter));
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert_eq!(budget.hold(30), Ok(()));
        assert!(!budget.memory_growing(60, 80, None).unwrap());
        assert_eq!(budget.hold(50), Err(MemoryExceeded { bytes_max: 100 }));
        assert_eq!(budget.hold(0), Ok(()));
        assert!(budget.memory_growing(60, 100, None).unwrap());
        assert_eq!(meter.usage().memory_bytes, 150, "the peak of each");
    }
}
