//! Adds up source rows.

#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), path = "columns/wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "columns/x86.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))),
    path = "columns/plain.rs"
)]
mod lanes;

use super::taps::WHOLE_BITS;

/// Sums at a time.
const LANES: usize = 64;

/// The weighted sum of the rows of `window`, of an image without transparency.
pub(super) fn opaque(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
    lanes::opaque(window, stride, weights, line);
}

/// The same in loops that a compiler makes vectors of, from channel `from` on.
#[inline(always)]
fn portable(window: &[u8], stride: usize, weights: &[i16], from: usize, line: &mut [f32]) {
    let scale = 1.0 / (1 << WHOLE_BITS) as f32;
    for (chunk, line) in line[from..].chunks_mut(LANES).enumerate() {
        let from = from + chunk * LANES;
        let mut sums = [0_i32; LANES];
        for (row, weight) in window.chunks_exact(stride).zip(weights) {
            let row = &row[from..from + line.len()];
            sums.iter_mut().zip(row).for_each(|(sum, byte)| *sum += i32::from(*byte) * i32::from(*weight));
        }
        line.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32 * scale);
    }
}

/// The weighted sum of the rows of `window`, colours times their alpha.
pub(super) fn premultiplied(window: &[u8], stride: usize, weights: &[f32], line: &mut [f32]) {
    line.fill(0.0);
    for (row, weight) in window.chunks_exact(stride).zip(weights) {
        for (out, pixel) in line.as_chunks_mut::<4>().0.iter_mut().zip(row.as_chunks::<4>().0) {
            let [red, green, blue, alpha] = pixel.map(f32::from);
            let weighted = alpha * weight;
            let pixel = [red * weighted, green * weighted, blue * weighted, weighted];
            for channel in 0..4 {
                out[channel] += pixel[channel];
            }
        }
    }
}
