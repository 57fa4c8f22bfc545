//! The bound on the memory of a whole instance.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

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
    /// Of what the host holds, as last counted.
    held_bytes: u64,
    meter: Arc<Meter>,
}

/// An instance has more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it and what the host holds for it came to more than {} MiB", bytes_max >> 20)]
pub struct MemoryExceeded {
    /// How much it may have.
    pub bytes_max: u64,
}

/// What one table element costs the host: a pointer.
const TABLE_ELEMENT_BYTES: u64 = 8;

impl MemoryBudget {
    /// A budget of `bytes_max` bytes, none of them used, whose use `meter` shows.
    pub fn new(bytes_max: u64, meter: Arc<Meter>) -> Self {
        Self { bytes_max, bytes: 0, held_bytes: 0, meter }
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
        self.meter.held(bytes);
        match self.bytes.saturating_add(bytes) <= self.bytes_max {
            true => Ok(()),
            false => Err(MemoryExceeded { bytes_max: self.bytes_max }),
        }
    }

    /// Takes what growing from `current` to `desired` costs, if there is so much.
    fn take(&mut self, current: u64, desired: u64) -> bool {
        let after = self.bytes.saturating_add(desired.saturating_sub(current));
        let fits = after.saturating_add(self.held_bytes) <= self.bytes_max;
        if fits {
            self.bytes = after;
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

    #[test]
    fn a_growth_that_cannot_be_costs_nothing() {
        let meter = Arc::new(Meter::new(Duration::MAX));
        let mut budget = MemoryBudget::new(100, Arc::clone(&meter));
        assert!(!budget.memory_growing(0, 60, Some(50)).unwrap());
        assert!(!budget.table_growing(0, usize::MAX, None).unwrap());
        assert_eq!(meter.usage().memory_bytes, 0);
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
