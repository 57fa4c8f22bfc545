//! Bicubic resize, and what a vision model wants of it.
//!
//! Row by row of the target: its source rows are added up first, along the columns, since shrinking makes
//! few rows of many; then the one row that is left is resized along itself.

mod columns;
mod taps;

use std::sync::Mutex;

use taps::Taps;

use crate::blur::{check_image, is_opaque};
use crate::memory::{filled, reserve};
use crate::work::locked;
use crate::{KernelError, Work};

/// Width and height, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Means and standard deviations of red, green and blue, where white is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// What each channel is divided by.
    pub deviation: [f32; 3],
}

/// Resizes an image of red, green, blue and alpha bytes.
///
/// Catmull-Rom's cubic (a = -0.5), widened when shrinking so that no source pixel is skipped, as Pillow
/// and others do. Colours are weighted by their alpha; where alpha rounds to 0, so do they. Each byte is
/// within 1 of the exact result.
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
    check_image(target.len(), to.width, to.height)?;
    work.begin(to.height)?;
    let resize = Resize::new(source, from, to, work)?;
    let rows = target.chunks_exact_mut(to.width * 4).enumerate();
    work.share(to.height.try_into().unwrap_or(u32::MAX), rows, |turn, (y, row)| {
        resize.row(y, row)?;
        turn.done(1)
    })
}

/// Resizes to `to`, then writes three planes of numbers, red, green, blue: (x/255 - mean) / deviation.
/// Alpha weights the colours and is left out.
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
    work.begin(to.height)?;
    let resize = Resize::new(source, from, to, work)?;
    let (red, others) = target.split_at_mut(to.width * to.height);
    let (green, blue) = others.split_at_mut(to.width * to.height);
    let planes = [red, green, blue].map(|plane| plane.chunks_exact_mut(to.width));
    let [red, green, blue] = planes;
    let rows = red.zip(green).zip(blue).enumerate();
    work.share(to.height.try_into().unwrap_or(u32::MAX), rows, |turn, (y, ((red, green), blue))| {
        let mut bytes = filled(0_u8, to.width * 4)?;
        resize.row(y, &mut bytes)?;
        for (channel, plane) in [red, green, blue].into_iter().enumerate() {
            let (mean, deviation) = (normal.mean[channel], normal.deviation[channel]);
            let (scale, shift) = (1.0 / (255.0 * deviation), mean / deviation);
            for (value, pixel) in plane.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = f32::from(pixel[channel]) * scale - shift;
            }
        }
        turn.done(1)
    })
}

/// What all rows of a target need.
struct Resize<'s> {
    source: &'s [u8],
    stride: usize,
    is_opaque: bool,
    columns: Taps,
    rows: Taps,
    /// Rows in between, of threads that are not at work.
    lines: Mutex<Vec<Vec<f32>>>,
}

impl<'s> Resize<'s> {
    fn new(source: &'s [u8], from: Size, to: Size, work: &Work<'_>) -> Result<Self, KernelError> {
        check_image(source.len(), from.width, from.height)?;
        if to.width == 0 || to.height == 0 {
            return Err(KernelError::Size("width and height must be at least 1"));
        }
        Ok(Self {
            source,
            stride: from.width * 4,
            is_opaque: is_opaque(source, work)?,
            columns: Taps::new(from.width, to.width)?,
            rows: Taps::new(from.height, to.height)?,
            lines: Mutex::default(),
        })
    }

    /// Computes row `y` of the target.
    fn row(&self, y: usize, row: &mut [u8]) -> Result<(), KernelError> {
        let spare = locked(&self.lines).pop();
        let mut line = spare.map_or_else(|| filled(0.0, self.stride), Ok)?;
        let (first, weights) = self.rows.at(y);
        let window = &self.source[first * self.stride..(first + weights.len()) * self.stride];
        if self.is_opaque {
            columns::opaque(window, self.stride, self.rows.whole_at(y), &mut line);
        } else {
            columns::premultiplied(window, self.stride, weights, &mut line);
        }
        for (x, out) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let (first, weights) = self.columns.at(x);
            let [red, green, blue, alpha] = along(&line[4 * first..], weights);
            *out = match self.is_opaque {
                true => [red, green, blue, 255.0].map(rounded),
                false if alpha < 0.5 => [0; 4],
                false => [red / alpha, green / alpha, blue / alpha, alpha].map(rounded),
            };
        }
        let mut lines = locked(&self.lines);
        reserve(&mut lines, 1)?;
        lines.push(line);
        Ok(())
    }
}

/// The weighted sum of pixels of a row.
#[inline(always)]
fn along(line: &[f32], weights: &[f32]) -> [f32; 4] {
    let mut sums = [0.0; 4];
    for (pixel, weight) in line.as_chunks::<4>().0.iter().zip(weights) {
        for channel in 0..4 {
            sums[channel] += pixel[channel] * weight;
        }
    }
    sums
}

/// The nearest byte.
fn rounded(value: f32) -> u8 {
    (value + 0.5) as u8
}
