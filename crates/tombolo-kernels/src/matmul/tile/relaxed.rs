//! Tiles with WebAssembly's relaxed fused product and sum, which is one instruction on most machines.

use std::arch::wasm32::{f32x4, f32x4_extract_lane as lane, f32x4_relaxed_madd, f32x4_splat};

/// A tile of 3 rows and 12 columns.
pub(super) fn multiply_f32(a: &[f32], b: &[f32], product: &mut [f32]) {
    let mut sums = [[f32x4_splat(0.0); 3]; 3];
    for (a, b) in a.as_chunks::<3>().0.iter().zip(b.as_chunks::<12>().0) {
        let columns =
            [f32x4(b[0], b[1], b[2], b[3]), f32x4(b[4], b[5], b[6], b[7]), f32x4(b[8], b[9], b[10], b[11])];
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = f32x4_splat(*a);
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = f32x4_relaxed_madd(a, column, *sum);
            }
        }
    }
    for (product, sum) in product.as_chunks_mut::<4>().0.iter_mut().zip(sums.as_flattened()) {
        *product = [lane::<0>(*sum), lane::<1>(*sum), lane::<2>(*sum), lane::<3>(*sum)];
    }
}
