//! A row of a target in whole numbers, of an image without transparency.

use super::taps::{Taps, WHOLE_BITS};
use crate::lanes::{self, BLOCK};

/// Bits behind the point of a value between the two directions: a sum of bytes may overshoot by a third on
/// either side, and fits 16 bits.
const FRACTION_BITS: u32 = 6;

/// Numbers of a line: a row of an even number of pixels, channel by channel of two of them in turn.
pub(super) fn line_length(stride: usize) -> usize {
    stride.next_multiple_of(8)
}

/// Bytes of a line of a cache.
const LINE_BYTES: usize = 64;

/// Brings rows into the second cache that are added up soon. From one end to the other, as memory is fastest;
/// [`down`] reads a little of each row in turn.
pub(super) fn fetch(rows: &[u8]) {
    std::hint::black_box(rows.iter().step_by(LINE_BYTES).fold(0, |all, byte| all | byte));
}

/// Adds up source rows: those of the pairs of `rows`, the first of which is `first`.
#[inline(never)]
#[expect(unsafe_code, reason = "a check for each block takes as long as what is done with it")]
pub(super) fn down(source: &[u8], stride: usize, (first, rows): (usize, &[[i16; 2]]), line: &mut [i16]) {
    const SHIFT: u32 = WHOLE_BITS - FRACTION_BITS;
    let (from, last) = (2 * first * stride, source.len() - stride);
    assert!(from + (2 * rows.len()).saturating_sub(2) * stride <= last);
    // Behind the last row there may be half a pair, of weight 0.
    let starts = |pair: usize| {
        let upper = from + 2 * pair * stride;
        (upper, (upper + stride).min(last))
    };
    let blocks = stride / BLOCK;
    for (block, out) in line.as_chunks_mut::<BLOCK>().0.iter_mut().take(blocks).enumerate() {
        let at = block * BLOCK;
        let mut sums = [lanes::splat(1 << (SHIFT - 1)); 4];
        for (pair, weights) in rows.iter().enumerate() {
            let (upper, lower) = starts(pair);
            // SAFETY: neither begins behind the last row, and the block is within a row.
            let [a, b, c, d] = unsafe { lanes::rows(source, upper + at, lower + at) };
            let weights = lanes::splat_pair(*weights);
            sums = [
                lanes::add_products(sums[0], a, weights),
                lanes::add_products(sums[1], b, weights),
                lanes::add_products(sums[2], c, weights),
                lanes::add_products(sums[3], d, weights),
            ];
        }
        let [a, b, c, d] = sums;
        lanes::store_pixels(out, [lanes::narrow(a, b, SHIFT), lanes::narrow(c, d, SHIFT)]);
    }
    for at in blocks * BLOCK..stride {
        let mut sum = 1 << (SHIFT - 1);
        for (pair, [even, odd]) in rows.iter().enumerate() {
            let (upper, lower) = starts(pair);
            sum += i32::from(*even) * i32::from(source[upper + at]);
            sum += i32::from(*odd) * i32::from(source[lower + at]);
        }
        let (pixel, channel) = (at / 4, at % 4);
        line[pixel / 2 * 8 + channel * 2 + pixel % 2] = (sum >> SHIFT) as i16;
    }
}

/// Resizes a line along itself.
#[inline(never)]
pub(super) fn along(line: &[i16], columns: &Taps, row: &mut [u8]) {
    const SHIFT: u32 = WHOLE_BITS + FRACTION_BITS;
    let line = line.as_chunks::<8>().0;
    for (x, out) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let (first, pairs) = columns.pairs_at(x);
        let mut sums = lanes::splat(1 << (SHIFT - 1));
        for (pixels, weights) in line[first..].iter().zip(pairs) {
            sums = lanes::add_products(sums, lanes::eight(pixels), lanes::splat_pair(*weights));
        }
        *out = lanes::pixel(sums, SHIFT);
    }
}
