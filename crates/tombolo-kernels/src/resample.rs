//! Bicubic resize, and what a vision model wants of it.
//!
//! Row by row of the target: its source rows are added up first, along the columns, since shrinking makes
//! few rows of many; then the one row that is left is resized along itself.

mod fixed;
mod float;
mod taps;

use std::sync::Mutex;

use taps::Taps;

use crate::blur::{check_image, is_opaque};
use crate::lanes::ARE_VECTORS;
use crate::memory::{at_least, filled, reserve};
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
    columns: Taps,
    rows: Taps,
    is_opaque: bool,
    /// Whether whole numbers are exact enough, and there is no alpha to divide by.
    is_whole: bool,
    /// Of threads that are not at work.
    lines: Mutex<Vec<Line>>,
}

/// The row in between: one or the other.
#[derive(Default)]
struct Line {
    float: Vec<f32>,
    whole: Vec<i16>,
}

impl<'s> Resize<'s> {
    fn new(source: &'s [u8], from: Size, to: Size, work: &Work<'_>) -> Result<Self, KernelError> {
        check_image(source.len(), from.width, from.height)?;
        if to.width == 0 || to.height == 0 {
            return Err(KernelError::Size("width and height must be at least 1"));
        }
        let (columns, rows) = (Taps::new(from.width, to.width)?, Taps::new(from.height, to.height)?);
        let is_opaque = is_opaque(source, work)?;
        let is_whole = ARE_VECTORS && columns.is_whole && rows.is_whole && is_opaque;
        Ok(Self {
            source,
            stride: from.width * 4,
            columns,
            rows,
            is_opaque,
            is_whole,
            lines: Mutex::default(),
        })
    }

    /// Where the source rows end that make row `y` of the target; of no row, all of them.
    fn end(&self, y: usize) -> usize {
        self.rows.end(y).map_or(self.source.len(), |row| row * self.stride)
    }

    /// Computes row `y` of the target.
    fn row(&self, y: usize, row: &mut [u8]) -> Result<(), KernelError> {
        let mut line = locked(&self.lines).pop().unwrap_or_default();
        // The constant again, so that it is not in the module of a browser without vectors.
        if ARE_VECTORS && self.is_whole {
            at_least(&mut line.whole, 0, fixed::line_length(self.stride))?;
            fixed::fetch(&self.source[self.end(y)..self.end(y + 1)]);
            fixed::down(self.source, self.stride, self.rows.pairs_at(y), &mut line.whole);
            fixed::along(&line.whole, &self.columns, row);
        } else {
            at_least(&mut line.float, 0.0, self.stride)?;
            let (first, weights) = self.rows.at(y);
            let window = &self.source[first * self.stride..(first + weights.len()) * self.stride];
            if self.is_opaque {
                float::down::<true>(window, self.stride, weights, &mut line.float);
                float::along::<true>(&line.float, &self.columns, row);
            } else {
                float::down::<false>(window, self.stride, weights, &mut line.float);
                float::along::<false>(&line.float, &self.columns, row);
            }
        }
        let mut lines = locked(&self.lines);
        reserve(&mut lines, 1)?;
        lines.push(line);
        Ok(())
    }
}
