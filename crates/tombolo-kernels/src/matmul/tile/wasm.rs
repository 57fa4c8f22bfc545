//! Tiles in WebAssembly's 128-bit registers, of which V8 has fifteen.

#[cfg(target_feature = "relaxed-simd")]
use std::arch::wasm32::f32x4_relaxed_madd;
use std::arch::wasm32::{f32x4, f32x4_extract_lane as lane, f32x4_splat, v128};
#[cfg(not(target_feature = "relaxed-simd"))]
use std::arch::wasm32::{f32x4_add, f32x4_mul};

use super::Tile;

/// Fused, 3 × 12 leave no register unused. With a product on its own that is one too many, as V8 loads
/// whatever a turn needs before anything else; it then takes 1.7 times as long.
pub(super) fn best_f32() -> Tile<f32> {
    match cfg!(target_feature = "relaxed-simd") {
        true => Tile { rows: 3, columns: 12, multiply: multiply::<3, 3, 12> },
        false => Tile { rows: 2, columns: 16, multiply: multiply::<2, 4, 16> },
    }
}

/// A tile of `ROWS` rows and `VECTORS` vectors, which are `COLUMNS` columns.
fn multiply<const ROWS: usize, const VECTORS: usize, const COLUMNS: usize>(
    a: &[f32],
    b: &[f32],
    product: &mut [f32],
) {
    let mut sums = [[f32x4_splat(0.0); VECTORS]; ROWS];
    for (a, b) in a.as_chunks::<ROWS>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
        let mut columns = [f32x4_splat(0.0); VECTORS];
        for (column, four) in columns.iter_mut().zip(b.as_chunks::<4>().0) {
            *column = f32x4(four[0], four[1], four[2], four[3]);
        }
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = f32x4_splat(*a);
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = add(a, column, *sum);
            }
        }
    }
    for (product, sum) in product.as_chunks_mut::<4>().0.iter_mut().zip(sums.as_flattened()) {
        *product = [lane::<0>(*sum), lane::<1>(*sum), lane::<2>(*sum), lane::<3>(*sum)];
    }
}

/// The product of two numbers and a third: in one instruction, where there is one.
#[inline(always)]
fn add(a: v128, b: v128, sum: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return f32x4_relaxed_madd(a, b, sum);
    #[cfg(not(target_feature = "relaxed-simd"))]
    f32x4_add(sum, f32x4_mul(a, b))
}
