//! Tiles for processors with wider registers than every x86-64 has.
#![expect(unsafe_code, reason = "what was compiled for a processor may be called on that processor only")]

use std::arch::is_x86_feature_detected as has;

use super::{Tile, sum};
use crate::matmul::real::Real;

pub(super) fn best_f32() -> Option<Tile<f32>> {
    if has!("avx512f") {
        return Some(Tile { rows: 4, columns: 64, multiply: avx512::multiply::<f32, 4, 64> });
    }
    let tile = Tile { rows: 6, columns: 16, multiply: avx2::multiply::<f32, 6, 16> };
    (has!("avx2") && has!("fma")).then_some(tile)
}

pub(super) fn best_f64() -> Option<Tile<f64>> {
    if has!("avx512f") {
        return Some(Tile { rows: 4, columns: 32, multiply: avx512::multiply::<f64, 4, 32> });
    }
    let tile = Tile { rows: 6, columns: 8, multiply: avx2::multiply::<f64, 6, 8> };
    (has!("avx2") && has!("fma")).then_some(tile)
}

/// A function `multiply` that may be called where the features are, and nowhere else is named.
macro_rules! compiled_for {
    ($module:ident, $features:literal) => {
        mod $module {
            use super::{Real, sum};

            pub(super) fn multiply<T: Real, const ROWS: usize, const COLUMNS: usize>(
                a: &[T],
                b: &[T],
                product: &mut [T],
            ) {
                #[target_feature(enable = $features)]
                fn compiled<T: Real, const ROWS: usize, const COLUMNS: usize>(
                    a: &[T],
                    b: &[T],
                    product: &mut [T],
                ) {
                    sum::<T, ROWS, COLUMNS>(a, b, product, T::fused);
                }
                // SAFETY: `best_f32` and `best_f64` alone name this function, after they found the features.
                unsafe { compiled::<T, ROWS, COLUMNS>(a, b, product) }
            }
        }
    };
}
compiled_for!(avx512, "avx512f,fma");
compiled_for!(avx2, "avx2,fma");
