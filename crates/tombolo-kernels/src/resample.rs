//! Bicubic resize, and what a vision model wants of it.

use crate::blur::check_image;
use crate::memory::filled;
use crate::{KernelError, Work};

/// Width and height, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Resizes an image of red, green, blue and alpha bytes.
///
/// Catmull-Rom's cubic (a = -0.5), widened when shrinking so that no source pixel is skipped, as
/// Pillow and others do. Colours are weighted by their alpha.
///
/// # Errors
///
/// [`KernelError::Size`] if a side is zero or a length is not 4·width·height bytes.
pub fn resize_bicubic(
    source: &[u8],
    from: Size,
    target: &mut [u8],
    to: Size,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    check_image(source.len(), from.width, from.height)?;
    check_image(target.len(), to.width, to.height)?;
    let columns = taps(from.width, to.width);
    let rows = taps(from.height, to.height);
    let mut middle = filled([0_f32; 4], from.width * to.height)?;
    let lines = source.chunks_exact(from.width * 4).collect::<Vec<_>>();
    work.share(
        to.height as u32,
        middle.chunks_exact_mut(from.width).zip(&rows),
        |_, (out, (first, weights))| {
            for (line, weight) in lines[*first..].iter().zip(weights) {
                for (out, pixel) in out.iter_mut().zip(line.as_chunks::<4>().0) {
                    let [r, g, b, a] = pixel.map(f32::from);
                    out.iter_mut()
                        .zip([r * a, g * a, b * a, a])
                        .for_each(|(out, value)| *out += weight * value);
                }
            }
            Ok(())
        },
    )?;
    let lines = target.chunks_exact_mut(to.width * 4).zip(middle.chunks_exact(from.width));
    work.share(to.height as u32, lines, |turn, (out, line)| {
        for (out, (first, weights)) in out.as_chunks_mut::<4>().0.iter_mut().zip(&columns) {
            let mut sums = [0_f32; 4];
            for (pixel, weight) in line[*first..].iter().zip(weights) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * value);
            }
            let [r, g, b, a] = sums;
            let scale = if a > 0.0 { 1.0 / a } else { 0.0 };
            *out = [r * scale, g * scale, b * scale, a].map(|value| (value + 0.5) as u8);
        }
        turn.done(1)
    })
}

/// Resizes to `to`, then writes three planes of numbers, red, green, blue: (x/255 - mean) / deviation.
///
/// # Errors
///
/// As [`resize_bicubic`]; and [`KernelError::Size`] if `target` does not hold 3·width·height numbers,
/// [`KernelError::Number`] if a mean is not finite or a deviation not a positive finite number.
pub fn preprocess(
    source: &[u8],
    from: Size,
    target: &mut [f32],
    to: Size,
    normal: &Normal,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    if to.width.checked_mul(to.height).and_then(|count| count.checked_mul(3)) != Some(target.len()) {
        return Err(KernelError::Size("the target must hold 3·width·height numbers"));
    }
    let sane = normal.mean.iter().all(|mean| mean.is_finite())
        && normal.deviation.iter().all(|it| it.is_finite() && *it > 0.0);
    if !sane {
        return Err(KernelError::Number("each mean must be finite, each deviation finite and above 0"));
    }
    let mut resized = filled(0_u8, to.width * to.height * 4)?;
    resize_bicubic(source, from, &mut resized, to, work)?;
    for (channel, plane) in target.chunks_exact_mut(to.width * to.height).enumerate() {
        let (mean, deviation) = (normal.mean[channel], normal.deviation[channel]);
        for (value, pixel) in plane.iter_mut().zip(resized.as_chunks::<4>().0) {
            *value = (f32::from(pixel[channel]) / 255.0 - mean) / deviation;
        }
    }
    Ok(())
}

/// Means and standard deviations of red, green and blue, where white is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// What each channel is divided by.
    pub deviation: [f32; 3],
}

/// For each target pixel the first source pixel and the weights from there on.
fn taps(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let cubic = |x: f64| match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    };
    let at = |target: usize| {
        let centre = (target as f64 + 0.5) * scale;
        let first = (centre - 2.0 * stretch).floor().max(0.0) as usize;
        let last = ((centre + 2.0 * stretch).ceil() as usize).min(from);
        let weights = (first..last).map(|source| cubic((source as f64 + 0.5 - centre) / stretch));
        let weights = weights.collect::<Vec<_>>();
        let sum: f64 = weights.iter().sum();
        (first, weights.iter().map(|weight| (weight / sum) as f32).collect())
    };
    (0..to).map(at).collect()
}
