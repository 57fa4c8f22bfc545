//! Blur in `f32`, premultiplied, for any image.

use super::strip::Strip;
use super::weights::Weights;
use crate::KernelError;
use crate::memory::{at_least, starts};

/// Sums at a time: six registers of 128 bits, or ten where there are none. More are spilled, fewer leave more
/// of the time to addresses.
const LANES: usize = if cfg!(all(target_family = "wasm", not(target_feature = "simd128"))) { 10 } else { 24 };

/// What one thread computes in. Rows are longer than the image's, up to a multiple of [`LANES`]: what is
/// behind their end is summed and not used.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// A row, its colours times its alpha, with its first and last pixel repeated outwards.
    line: Vec<f32>,
    /// Rows that are blurred along the row, as many as have a weight, in turn.
    ring: Vec<f32>,
    /// A row that is blurred both ways.
    sums: Vec<f32>,
}

/// Blurs a strip; calls `tick` after each row.
pub(super) fn blur(
    strip: &mut Strip<'_>,
    weights: &Weights,
    buffer: &mut Buffer,
    mut tick: impl FnMut() -> Result<(), KernelError>,
) -> Result<(), KernelError> {
    let (stride, radius, count) = (strip.stride, weights.radius(), weights.count());
    let weights = weights.float();
    let length = stride.next_multiple_of(LANES);
    let ring_length = length.checked_mul(count).ok_or(KernelError::OutOfMemory { bytes: usize::MAX })?;
    at_least(&mut buffer.line, 0.0, length + 8 * radius)?;
    at_least(&mut buffer.ring, 0.0, ring_length)?;
    at_least(&mut buffer.sums, 0.0, length)?;
    let sums = &mut buffer.sums[..length];
    let height = strip.rows.len() / stride;
    let pixels = starts(count, 4)?;
    // Where in the ring the rows are, from the one that is written next on.
    let mut rows = starts(count, length)?;
    // Row `at` is `radius` rows above row `at` of the strip.
    for at in 0..height + 2 * radius {
        premultiply(strip.row(at, radius), &mut buffer.line[..stride + 8 * radius], radius);
        sum(&weights, &buffer.line, &pixels, &mut buffer.ring[rows[0]..][..length]);
        rows.rotate_left(1);
        let Some(row) = at.checked_sub(2 * radius) else { continue };
        sum(&weights, &buffer.ring, &rows, sums);
        unpremultiply(sums, &mut strip.rows[row * stride..][..stride]);
        tick()?;
    }
    Ok(())
}

/// Writes a row's colours times their alpha, and its first and last pixel again on each side.
fn premultiply(source: &[u8], line: &mut [f32], radius: usize) {
    let line = line.as_chunks_mut::<4>().0;
    let (left, rest) = line.split_at_mut(radius);
    let (middle, right) = rest.split_at_mut(source.len() / 4);
    for (out, pixel) in middle.iter_mut().zip(source.as_chunks::<4>().0) {
        let [red, green, blue, alpha] = pixel.map(f32::from);
        *out = [red * alpha, green * alpha, blue * alpha, alpha];
    }
    left.fill(middle[0]);
    right.fill(middle[middle.len() - 1]);
}

/// The weighted sum of what begins at each of `starts`. Compiled once, for both directions.
#[inline(never)]
fn sum(weights: &[f32], values: &[f32], starts: &[usize], out: &mut [f32]) {
    let (near, far) = (&starts[..weights.len()], &starts[weights.len() - 1..]);
    for (chunk, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let values = &values[chunk * LANES..];
        let mut sums = [0.0; LANES];
        for ((near, far), weight) in near.iter().rev().zip(far).zip(weights) {
            let block = |start: usize| values[start..].first_chunk::<LANES>();
            let (Some(near), Some(far)) = (block(*near), block(*far)) else {
                unreachable!("all are as long")
            };
            for lane in 0..LANES {
                sums[lane] += (near[lane] + far[lane]) * weight;
            }
        }
        *out = sums;
    }
}

/// Divides colours by their alpha, and rounds.
fn unpremultiply(sums: &[f32], row: &mut [u8]) {
    for (out, sums) in row.as_chunks_mut::<4>().0.iter_mut().zip(sums.as_chunks::<4>().0) {
        let alpha = sums[3];
        let scale = if alpha > 0.0 { 1.0 / alpha } else { 0.0 };
        *out = [sums[0] * scale, sums[1] * scale, sums[2] * scale, alpha].map(|value| (value + 0.5) as u8);
    }
}
