//! Sixteen channels at a time in WebAssembly's 128-bit registers, two rows an instruction: their bytes
//! stand side by side, as do their weights.

use std::arch::wasm32::{
    f32x4_convert_i32x4, f32x4_mul, f32x4_splat, i8x16_shuffle, i16x8_extend_high_u8x16,
    i16x8_extend_low_u8x16, i32x4_add, i32x4_dot_i16x8, i32x4_splat, v128, v128_load, v128_store,
};

use super::WHOLE_BITS;

/// Channels at a time.
const LANES: usize = 16;

pub(super) fn opaque(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
    let scale = f32x4_splat(1.0 / (1 << WHOLE_BITS) as f32);
    let blocks = stride / LANES;
    for (block, out) in line.as_chunks_mut::<LANES>().0.iter_mut().take(blocks).enumerate() {
        let from = block * LANES;
        let mut sums = [i32x4_splat(0); 4];
        let mut rows = window.chunks_exact(stride).zip(weights);
        while let Some((row, weight)) = rows.next() {
            // Behind the last of an odd number of rows, itself again, of weight 0.
            let (other, other_weight) = rows.next().unwrap_or((row, &0));
            let (row, other) = (load(&row[from..]), load(&other[from..]));
            let weight = i32x4_splat(i32::from(*weight) & 0xFFFF | i32::from(*other_weight) << 16);
            let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(row, other);
            let high =
                i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(row, other);
            let pairs = [
                i16x8_extend_low_u8x16(low),
                i16x8_extend_high_u8x16(low),
                i16x8_extend_low_u8x16(high),
                i16x8_extend_high_u8x16(high),
            ];
            for (sum, pair) in sums.iter_mut().zip(pairs) {
                *sum = i32x4_add(*sum, i32x4_dot_i16x8(pair, weight));
            }
        }
        for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            store(out, f32x4_mul(f32x4_convert_i32x4(sum), scale));
        }
    }
    super::portable(window, stride, weights, blocks * LANES, line);
}

#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe load of a vector")]
fn load(bytes: &[u8]) -> v128 {
    assert!(bytes.len() >= LANES);
    // SAFETY: there are sixteen bytes, and this load asks for no alignment.
    unsafe { v128_load(bytes.as_ptr().cast()) }
}

#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe store of a vector")]
fn store(out: &mut [f32; 4], vector: v128) {
    // SAFETY: there is room for four numbers, and this store asks for no alignment.
    unsafe { v128_store(out.as_mut_ptr().cast(), vector) }
}
