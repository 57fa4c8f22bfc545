//! A row of a target in `f32`, colours times their alpha, of any image.

use super::taps::Taps;

/// Adds up the rows of `window`, colours times their alpha unless it is 255 everywhere.
pub(super) fn down<const OPAQUE: bool>(window: &[u8], stride: usize, weights: &[f32], line: &mut [f32]) {
    line.fill(0.0);
    for (row, weight) in window.chunks_exact(stride).zip(weights) {
        for (out, pixel) in line.as_chunks_mut::<4>().0.iter_mut().zip(row.as_chunks::<4>().0) {
            let [red, green, blue, alpha] = pixel.map(f32::from);
            let weighted = if OPAQUE { *weight } else { alpha * weight };
            out[0] += red * weighted;
            out[1] += green * weighted;
            out[2] += blue * weighted;
            if !OPAQUE {
                out[3] += weighted;
            }
        }
    }
}

/// Resizes a line along itself, and divides by alpha again.
pub(super) fn along<const OPAQUE: bool>(line: &[f32], columns: &Taps, row: &mut [u8]) {
    let line = line.as_chunks::<4>().0;
    for (x, out) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let (first, weights) = columns.at(x);
        let mut sums = [0.0; 4];
        for (pixel, weight) in line[first..].iter().zip(weights) {
            for channel in 0..4 {
                sums[channel] += pixel[channel] * weight;
            }
        }
        let [red, green, blue, alpha] = sums;
        let (scale, alpha) = match alpha < 0.5 {
            _ if OPAQUE => (1.0, 255.0),
            true => (0.0, 0.0),
            false => (1.0 / alpha, alpha),
        };
        *out = [red * scale, green * scale, blue * scale, alpha].map(|value| (value + 0.5) as u8);
    }
}
