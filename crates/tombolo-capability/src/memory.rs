//! The bound on the memory of a whole instance.

use wasmtime::ResourceLimiter;

/// How many bytes the linear memories and tables of one instance have, and may have, together.
///
/// A component is many core modules, each with memories of its own; a bound on each would be no
/// bound on their sum.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: u64,
    bytes: u64,
}

/// What one table element costs the host: a pointer.
const TABLE_ELEMENT_BYTES: u64 = 8;

impl MemoryBudget {
    /// A budget of `bytes_max` bytes, none of them used.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: 0 }
    }

    /// Bytes in use. Memory never shrinks, so this is the peak as well.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes what growing from `current` to `desired` costs, if there is so much.
    fn take(&mut self, current: u64, desired: u64) -> bool {
        let after = self.bytes.saturating_add(desired.saturating_sub(current));
        let fits = after <= self.bytes_max;
        if fits {
            self.bytes = after;
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
    use super::*;

    #[test]
    fn the_sum_of_all_memories_is_bounded() {
        let mut budget = MemoryBudget::new(100);
        assert!(budget.memory_growing(0, 60, None).unwrap());
        assert!(!budget.memory_growing(0, 60, None).unwrap(), "a second memory shares the budget");
        assert!(budget.table_growing(0, 5, None).unwrap(), "five pointers are the last 40 bytes");
        assert!(!budget.memory_growing(60, 61, None).unwrap());
        assert_eq!(budget.bytes(), 100);
    }

    #[test]
    fn a_growth_that_cannot_be_costs_nothing() {
        let mut budget = MemoryBudget::new(100);
        assert!(!budget.memory_growing(0, 60, Some(50)).unwrap());
        assert!(!budget.table_growing(0, usize::MAX, None).unwrap());
        assert_eq!(budget.bytes(), 0);
    }
}
