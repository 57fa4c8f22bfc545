//! The portable loops, compiled for processors with wider registers than every x86-64 has.
#![expect(unsafe_code, reason = "what was compiled for a processor may be called on that processor only")]

use std::arch::is_x86_feature_detected as has;

use super::portable;

pub(super) fn opaque(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn avx2(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
        portable(window, stride, weights, 0, line);
    }
    #[target_feature(enable = "avx512f,avx512bw")]
    fn avx512(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
        portable(window, stride, weights, 0, line);
    }
    if has!("avx512f") && has!("avx512bw") {
        // SAFETY: the processor has what it was compiled for.
        unsafe { avx512(window, stride, weights, line) }
    } else if has!("avx2") {
        // SAFETY: as above.
        unsafe { avx2(window, stride, weights, line) }
    } else {
        portable(window, stride, weights, 0, line);
    }
}
