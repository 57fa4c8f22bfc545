//! Blur in `f32`, premultiplied, for any image.

use super::strip::Strip;
use super::weights::Weights;
use crate::KernelError;
use crate::memory::at_least;

/// Sums at a time: eight registers of 128 bits.
const LANES: usize = 32;

/// What one thread computes in.
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
    let ring_length = stride.checked_mul(count).ok_or(KernelError::OutOfMemory { bytes: usize::MAX })?;
    at_least(&mut buffer.line, 0.0, stride + 8 * radius)?;
    at_least(&mut buffer.ring, 0.0, ring_length)?;
    at_least(&mut buffer.sums, 0.0, stride)?;
    let line = &mut buffer.line[..stride + 8 * radius];
    let ring = &mut buffer.ring[..ring_length];
    let sums = &mut buffer.sums[..stride];
    let height = strip.rows.len() / stride;
    // Row `at` is `radius` rows above row `at` of the strip.
    for at in 0..height + 2 * radius {
        let source = match at.checked_sub(radius) {
            None => &strip.above[at * stride..][..stride],
            Some(row) if row < height => &strip.rows[row * stride..][..stride],
            Some(row) => &strip.below[(row - height) * stride..][..stride],
        };
        premultiply(source, line, radius);
        let at_middle = |distance: isize| &line[(4 * radius).wrapping_add_signed(4 * distance)..][..stride];
        sum(&weights, at_middle, &mut ring[at % count * stride..][..stride]);
        let Some(row) = at.checked_sub(2 * radius) else { continue };
        let middle = row + radius;
        let rows = |distance: isize| &ring[middle.wrapping_add_signed(distance) % count * stride..][..stride];
        sum(&weights, rows, sums);
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

/// The weighted sum of what `at` says is at each distance.
fn sum<'a>(weights: &[f32], at: impl Fn(isize) -> &'a [f32], out: &mut [f32]) {
    for (chunk, out) in out.chunks_mut(LANES).enumerate() {
        let from = chunk * LANES;
        let mut sums = [0.0; LANES];
        if let Some(out) = out.first_chunk_mut::<LANES>() {
            let block =
                |distance| at(distance)[from..].first_chunk::<LANES>().expect("all are as long as `out`");
            add(&mut sums, block(0), &[0.0; LANES], weights[0]);
            for (distance, weight) in weights.iter().enumerate().skip(1) {
                add(&mut sums, block(-(distance as isize)), block(distance as isize), *weight);
            }
            *out = sums;
            continue;
        }
        for (distance, weight) in weights.iter().enumerate() {
            let near = &at(-(distance as isize))[from..];
            let far = &at(distance as isize)[from..];
            let far_weight = if distance == 0 { 0.0 } else { *weight };
            for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
                *sum += near * weight + far * far_weight;
            }
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
    }
}

#[inline(always)]
fn add(sums: &mut [f32; LANES], near: &[f32; LANES], far: &[f32; LANES], weight: f32) {
    for lane in 0..LANES {
        sums[lane] += (near[lane] + far[lane]) * weight;
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
