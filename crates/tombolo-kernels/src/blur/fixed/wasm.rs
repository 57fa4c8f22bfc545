//! Sixteen channels at a time in WebAssembly's 128-bit registers.
//!
//! Pixels at the same distance are added before they are multiplied, and two distances are multiplied in
//! one instruction: their sums stand side by side, as do their weights.

use std::arch::wasm32::{
    i8x16_shuffle, i16x8_add, i16x8_extadd_pairwise_u8x16, i16x8_extend_high_u8x16, i16x8_extend_low_u8x16,
    i16x8_narrow_i32x4, i16x8_shuffle, i32x4_add, i32x4_dot_i16x8, i32x4_shr, i32x4_splat,
    u8x16_narrow_i16x8, v128, v128_load, v128_store,
};

use crate::blur::weights::{FRACTION_BITS, FixedWeights};

/// The shortest row.
pub(super) const BYTES_MIN: usize = LANES;

/// Channels at a time.
const LANES: usize = 16;

/// Sixteen numbers of 16 bits.
type Wide = [v128; 2];

/// Blurs along columns: `window` are the rows from a radius above to a radius below.
pub(super) fn columns(window: &[&[u8]], weights: &FixedWeights, line: &mut [i16]) {
    let radius = weights.radius;
    let shift = weights.bits - FRACTION_BITS;
    assert!(window.len() == 2 * radius + 1 && window.iter().all(|row| row.len() == line.len()));
    for from in starts(line.len()) {
        let both = |distance: usize| {
            let distance = distance.min(radius); // The last of the pairs may be one too many, of weight 0.
            add_bytes(load(&window[radius - distance][from..]), load(&window[radius + distance][from..]))
        };
        let middle = load(&window[radius][from..]);
        let middle = [i16x8_extend_low_u8x16(middle), i16x8_extend_high_u8x16(middle)];
        let sums = sum(weights, shift, middle, both);
        store(&mut line[from..], sums[0], sums[1]);
    }
}

/// Blurs along a row: `line` has a radius more on each side.
pub(super) fn row(line: &[i16], weights: &FixedWeights, row: &mut [u8]) {
    let radius = weights.radius;
    for from in starts(row.len()) {
        let middle = from + 4 * radius;
        let both = |distance: usize| {
            let distance = distance.min(radius);
            let (near, far) = (&line[middle - 4 * distance..], &line[middle + 4 * distance..]);
            [i16x8_add(load(near), load(far)), i16x8_add(load(&near[8..]), load(&far[8..]))]
        };
        let centre = [load(&line[middle..]), load(&line[middle + 8..])];
        let sums = sum(weights, weights.bits + FRACTION_BITS, centre, both);
        store(&mut row[from..], u8x16_narrow_i16x8(sums[0], sums[1]), i32x4_splat(0));
    }
}

/// Where blocks begin that cover `length`, which is at least one block: the last may overlap another.
fn starts(length: usize) -> impl Iterator<Item = usize> {
    (0..length.div_ceil(LANES)).map(move |block| (block * LANES).min(length - LANES))
}

/// The weighted sum of what is at each distance, rounded and shifted.
#[inline(always)]
fn sum(weights: &FixedWeights, shift: u32, middle: Wide, both: impl Fn(usize) -> Wide) -> Wide {
    let mut sums = [i32x4_splat(1 << (shift - 1)); 4];
    let mut even = middle;
    for (pair, weight) in weights.pairs.iter().enumerate() {
        if pair > 0 {
            even = both(2 * pair);
        }
        let odd = both(2 * pair + 1);
        let weight = i32x4_splat(i32::from(weight[0]) & 0xFFFF | i32::from(weight[1]) << 16);
        let mut add = |sum: usize, side_by_side| {
            sums[sum] = i32x4_add(sums[sum], i32x4_dot_i16x8(side_by_side, weight))
        };
        add(0, i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(even[0], odd[0]));
        add(1, i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(even[0], odd[0]));
        add(2, i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(even[1], odd[1]));
        add(3, i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(even[1], odd[1]));
    }
    let [a, b, c, d] = sums.map(|sum| i32x4_shr(sum, shift));
    [i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d)]
}

/// The sums of bytes.
#[inline(always)]
fn add_bytes(left: v128, right: v128) -> Wide {
    let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(left, right);
    let high = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(left, right);
    [i16x8_extadd_pairwise_u8x16(low), i16x8_extadd_pairwise_u8x16(high)]
}

#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe load of a vector")]
fn load<T: Copy>(values: &[T]) -> v128 {
    assert!(size_of_val(values) >= 16);
    // SAFETY: there are sixteen bytes of numbers, and this load asks for no alignment.
    unsafe { v128_load(values.as_ptr().cast()) }
}

/// Stores one vector, or two if so many bytes are a block of `values`.
#[inline(always)]
#[expect(unsafe_code, reason = "there is no safe store of a vector")]
fn store<T: Copy>(values: &mut [T], first: v128, second: v128) {
    assert!(values.len() >= LANES);
    let target = values.as_mut_ptr().cast::<v128>();
    // SAFETY: sixteen numbers of a byte are one vector, of two bytes two; no alignment is asked for.
    unsafe {
        v128_store(target, first);
        if size_of::<T>() == 2 {
            v128_store(target.add(1), second);
        }
    }
}
