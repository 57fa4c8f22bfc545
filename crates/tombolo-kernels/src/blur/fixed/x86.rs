//! The portable loops, compiled for processors with wider registers than every x86-64 has.
#![expect(unsafe_code, reason = "what was compiled for a processor may be called on that processor only")]

use std::arch::is_x86_feature_detected as has;

use super::portable;
use crate::blur::weights::FixedWeights;

/// The shortest row.
pub(super) const BYTES_MIN: usize = 4;

pub(super) fn columns(window: &[&[u8]], weights: &FixedWeights, line: &mut [i16]) {
    #[target_feature(enable = "avx2")]
    fn avx2(window: &[&[u8]], weights: &FixedWeights, line: &mut [i16]) {
        portable::columns(window, weights, line);
    }
    #[target_feature(enable = "avx512f,avx512bw")]
    fn avx512(window: &[&[u8]], weights: &FixedWeights, line: &mut [i16]) {
        portable::columns(window, weights, line);
    }
    if has!("avx512f") && has!("avx512bw") {
        // SAFETY: the processor has what it was compiled for.
        unsafe { avx512(window, weights, line) }
    } else if has!("avx2") {
        // SAFETY: as above.
        unsafe { avx2(window, weights, line) }
    } else {
        portable::columns(window, weights, line);
    }
}

pub(super) fn row(line: &[i16], weights: &FixedWeights, row: &mut [u8]) {
    #[target_feature(enable = "avx2")]
    fn avx2(line: &[i16], weights: &FixedWeights, row: &mut [u8]) {
        portable::row(line, weights, row);
    }
    #[target_feature(enable = "avx512f,avx512bw")]
    fn avx512(line: &[i16], weights: &FixedWeights, row: &mut [u8]) {
        portable::row(line, weights, row);
    }
    if has!("avx512f") && has!("avx512bw") {
        // SAFETY: the processor has what it was compiled for.
        unsafe { avx512(line, weights, row) }
    } else if has!("avx2") {
        // SAFETY: as above.
        unsafe { avx2(line, weights, row) }
    } else {
        portable::row(line, weights, row);
    }
}
