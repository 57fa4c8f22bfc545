//! Loops that a compiler makes vectors of.

use crate::blur::weights::{FRACTION_BITS, FixedWeights};

/// Sums at a time: eight registers of the widest.
const LANES: usize = 64;

/// Blurs along columns: `window` are the rows from a radius above to a radius below.
#[inline(always)]
pub(super) fn columns(window: &[&[u8]], weights: &FixedWeights, line: &mut [i16]) {
    let shift = weights.bits - FRACTION_BITS;
    for (chunk, line) in line.chunks_mut(LANES).enumerate() {
        let (from, count) = (chunk * LANES, line.len());
        let mut sums = [1 << (shift - 1); LANES];
        for (distance, weight) in weights.pairs.as_flattened().iter().enumerate().take(weights.radius + 1) {
            let near = &window[weights.radius - distance][from..from + count];
            let far = &window[weights.radius + distance][from..from + count];
            let far_weight = if distance == 0 { 0 } else { i32::from(*weight) };
            for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
                *sum += i32::from(*weight) * i32::from(*near) + far_weight * i32::from(*far);
            }
        }
        line.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum >> shift) as i16);
    }
}

/// Blurs along a row: `line` has a radius more on each side.
#[inline(always)]
pub(super) fn row(line: &[i16], weights: &FixedWeights, row: &mut [u8]) {
    let shift = weights.bits + FRACTION_BITS;
    for (chunk, row) in row.chunks_mut(LANES).enumerate() {
        let (middle, count) = (chunk * LANES + 4 * weights.radius, row.len());
        let mut sums = [1 << (shift - 1); LANES];
        for (distance, weight) in weights.pairs.as_flattened().iter().enumerate().take(weights.radius + 1) {
            let near = &line[middle - 4 * distance..][..count];
            let far = &line[middle + 4 * distance..][..count];
            let far_weight = if distance == 0 { 0 } else { i32::from(*weight) };
            for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
                *sum += i32::from(*weight) * i32::from(*near) + far_weight * i32::from(*far);
            }
        }
        row.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum >> shift) as u8);
    }
}
