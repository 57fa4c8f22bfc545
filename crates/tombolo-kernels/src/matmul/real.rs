//! The two kinds of number.

use std::ops::{Add, AddAssign, Mul};

use super::tile::{self, Tile};

/// `f32` or `f64`.
pub(super) trait Real:
    Copy + Default + Send + Sync + Add<Output = Self> + Mul<Output = Self> + AddAssign + 'static
{
    /// This number times `factor` plus `sum`, rounded once.
    #[cfg_attr(target_family = "wasm", expect(dead_code, reason = "no such instruction there"))]
    fn fused(self, factor: Self, sum: Self) -> Self;

    /// The fastest tile that this processor can do.
    fn tile() -> Tile<Self>;
}

impl Real for f32 {
    #[inline(always)]
    fn fused(self, factor: Self, sum: Self) -> Self {
        self.mul_add(factor, sum)
    }

    fn tile() -> Tile<Self> {
        tile::best_f32()
    }
}

impl Real for f64 {
    #[inline(always)]
    fn fused(self, factor: Self, sum: Self) -> Self {
        self.mul_add(factor, sum)
    }

    fn tile() -> Tile<Self> {
        tile::best_f64()
    }
}
