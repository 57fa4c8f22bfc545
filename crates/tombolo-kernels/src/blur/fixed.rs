//! Blur in whole numbers, for images without transparency.

#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), path = "fixed/wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "fixed/x86.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))),
    path = "fixed/plain.rs"
)]
mod lanes;
#[cfg_attr(
    all(target_arch = "wasm32", target_feature = "simd128"),
    expect(dead_code, reason = "there are lanes")
)]
mod portable;

use super::strip::Strip;
use super::weights::Fixed;
use crate::KernelError;
use crate::memory::{at_least, reserve};

/// What one thread computes in.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// Rows as they were, of those that are blurred already and still needed.
    saved: Vec<u8>,
    /// A row that is blurred along the columns, with its first and last pixel repeated outwards.
    line: Vec<i16>,
}

/// Whether rows of so many bytes can be blurred here, and faster than in `f32`: in the baseline of a
/// browser, which has no vectors, they cannot.
pub(super) fn can(stride: usize) -> bool {
    cfg!(any(not(target_family = "wasm"), target_feature = "simd128")) && stride >= lanes::BYTES_MIN
}

/// Blurs a strip; calls `tick` after each row.
pub(super) fn blur(
    strip: &mut Strip<'_>,
    weights: &Fixed,
    buffer: &mut Buffer,
    mut tick: impl FnMut() -> Result<(), KernelError>,
) -> Result<(), KernelError> {
    let (stride, radius) = (strip.stride, weights.columns.radius);
    at_least(&mut buffer.saved, 0, radius * stride)?;
    at_least(&mut buffer.line, 0, stride + 8 * radius)?;
    let saved = &mut buffer.saved[..radius * stride];
    let line = &mut buffer.line[..stride + 8 * radius];
    for y in 0..strip.rows.len() / stride {
        {
            let mut window: Vec<&[u8]> = Vec::new();
            reserve(&mut window, 2 * radius + 1)?;
            let above = strip.above.chunks_exact(stride).skip(y);
            window.extend(above.take(radius));
            window.extend((y.saturating_sub(radius)..y).map(|row| &saved[row % radius * stride..][..stride]));
            let below = strip.rows[y * stride..].chunks_exact(stride).chain(strip.below.chunks_exact(stride));
            window.extend(below.take(radius + 1));
            lanes::columns(&window, &weights.columns, &mut line[4 * radius..4 * radius + stride]);
        }
        extend(line, radius);
        let row = &mut strip.rows[y * stride..][..stride];
        saved[y % radius * stride..][..stride].copy_from_slice(row);
        lanes::row(line, &weights.rows, row);
        tick()?;
    }
    Ok(())
}

/// Repeats the first pixel to the left and the last to the right.
fn extend(line: &mut [i16], radius: usize) {
    let (left, rest) = line.as_chunks_mut::<4>().0.split_at_mut(radius);
    let count = rest.len() - radius;
    left.fill(rest[0]);
    let last = rest[count - 1];
    rest[count..].fill(last);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::weights::Weights;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn lanes_agree_with_one_at_a_time(width in 4_usize..80, sigma in 0.2_f32..12.0, seed in any::<u64>()) {
            let weights = Weights::new(sigma).fixed().unwrap();
            let radius = weights.rows.radius;
            let mut state = seed;
            let mut noise = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            let rows = (0..2 * radius + 1).map(|_| (0..width * 4).map(|_| noise()).collect()).collect::<Vec<Vec<u8>>>();
            let window = rows.iter().map(Vec::as_slice).collect::<Vec<_>>();
            let mut line = vec![0; width * 4 + 8 * radius];
            let mut plain = line.clone();
            lanes::columns(&window, &weights.columns, &mut line[4 * radius..4 * radius + width * 4]);
            portable::columns(&window, &weights.columns, &mut plain[4 * radius..4 * radius + width * 4]);
            prop_assert_eq!(&line, &plain);
            extend(&mut line, radius);
            let (mut out, mut plain) = (vec![0; width * 4], vec![0; width * 4]);
            lanes::row(&line, &weights.rows, &mut out);
            portable::row(&line, &weights.rows, &mut plain);
            prop_assert_eq!(out, plain);
        }
    }
}
