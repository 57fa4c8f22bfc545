//! In WebAssembly's 128-bit registers, two rows an instruction: their bytes
//! stand side by side, as do their weights.

use std::arch::wasm32::{
    f32x4_convert_i32x4, f32x4_mul, f32x4_splat, i8x16_shuffle, i16x8_extend_high_u8x16,
    i16x8_extend_low_u8x16, i32x4_add, i32x4_dot_i16x8, i32x4_splat, v128, v128_load, v128_store,
};

use super::WHOLE_BITS;

/// Channels at a time: two registers of bytes, eight of sums.
const LANES: usize = 32;

pub(super) fn opaque(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
    let scale = f32x4_splat(1.0 / (1 << WHOLE_BITS) as f32);
    let blocks = stride / LANES;
    for (block, out) in line.as_chunks_mut::<LANES>().0.iter_mut().take(blocks).enumerate() {
        let from = block * LANES;
        let mut sums = [i32x4_splat(0); 8];
        let (pairs, last) = weights.as_chunks::<2>();
        for (pair, weight) in pairs.iter().enumerate() {
            let [row, other] = [2 * pair, 2 * pair + 1].map(|row| block_at(window, row * stride + from));
            add(&mut sums, row, other, *weight);
        }
        if let [weight] = last {
            let row = block_at(window, pairs.len() * 2 * stride + from);
            add(&mut sums, row, row, [*weight, 0]);
        }
        for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            store(out, f32x4_mul(f32x4_convert_i32x4(sum), scale));
        }
    }
    super::portable(window, stride, weights, blocks * LANES, line);
}

#[inline(always)]
fn block_at(window: &[u8], from: usize) -> &[u8; LANES] {
    window[from..].first_chunk().expect("no block reaches over the end of its row")
}

/// Adds two rows times their weights.
#[inline(always)]
fn add(sums: &mut [v128; 8], row: &[u8; LANES], other: &[u8; LANES], weights: [i16; 2]) {
    let weight = i32x4_splat(i32::from(weights[0]) & 0xFFFF | i32::from(weights[1]) << 16);
    let halves = row.as_chunks::<16>().0.iter().zip(other.as_chunks::<16>().0);
    for (sums, (row, other)) in sums.as_chunks_mut::<4>().0.iter_mut().zip(halves) {
        let (row, other) = (load(row), load(other));
        let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(row, other);
        let high = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(row, other);
        sums[0] = i32x4_add(sums[0], i32x4_dot_i16x8(i16x8_extend_low_u8x16(low), weight));
        sums[1] = i32x4_add(sums[1], i32x4_dot_i16x8(i16x8_extend_high_u8x16(low), weight));
        sums[2] = i32x4_add(sums[2], i32x4_dot_i16x8(i16x8_extend_low_u8x16(high), weight));
        sums[3] = i32x4_add(sums[3], i32x4_dot_i16x8(i16x8_extend_high_u8x16(high), weight));
    }
}

#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe load of a vector")]
fn load(bytes: &[u8; 16]) -> v128 {
    // SAFETY: there are sixteen bytes, and this load asks for no alignment.
    unsafe { v128_load(bytes.as_ptr().cast()) }
}

#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe store of a vector")]
fn store(out: &mut [f32; 4], vector: v128) {
    // SAFETY: there is room for four numbers, and this store asks for no alignment.
    unsafe { v128_store(out.as_mut_ptr().cast(), vector) }
}
