//! Gaussian blur: along columns, then along rows, in strips of rows.
//!
//! An image without transparency is blurred in whole numbers of 16 bits, two products an instruction; any
//! other one in `f32`, premultiplied, since a colour of little alpha needs more digits than a byte has.

mod fixed;
mod float;
mod strip;
mod weights;

use std::sync::Mutex;

use strip::Strips;
use weights::Weights;

use crate::lanes::ARE_VECTORS;
use crate::work::locked;
use crate::{KernelError, Work};

/// The largest standard deviation, in pixels.
pub const SIGMA_MAX: f32 = 500.0;

/// Products between two looks at the watch: about a millisecond.
const TICK_PRODUCTS: usize = 16 << 20;

/// Memory that a blur keeps for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    halos: Vec<u8>,
    buffers: Vec<Buffers>,
}

/// What one thread computes in.
#[derive(Debug, Default)]
struct Buffers {
    fixed: fixed::Buffer,
    float: float::Buffer,
}

/// Blurs an image of red, green, blue and alpha bytes, row after row, in place.
///
/// A Gaussian of standard deviation `sigma` pixels, sampled at whole pixels up to three `sigma`, rounded
/// up, and scaled to the sum 1, along rows and columns. Pixels outside are those of the nearest edge.
/// Colours are weighted by their alpha, as if blurred premultiplied; where no pixel in reach has any
/// alpha, or of so small a weight that it is nothing in `f32`, the result is transparent black. Each byte
/// is within 1 of the exact result.
///
/// # Errors
///
/// [`KernelError::Size`] if a side is zero or `pixels` does not hold 4·width·height bytes,
/// [`KernelError::Number`] if `sigma` is not from 0 to [`SIGMA_MAX`].
pub fn gaussian_blur(
    pixels: &mut [u8],
    width: usize,
    height: usize,
    sigma: f32,
    scratch: &mut Scratch,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    check_image(pixels.len(), width, height)?;
    if !(0.0..=SIGMA_MAX).contains(&sigma) {
        return Err(KernelError::Number("sigma must be from 0 to 500"));
    }
    if sigma == 0.0 {
        return Ok(());
    }
    work.begin(height)?;
    let weights = Weights::new(sigma);
    let stride = width * 4;
    let is_opaque = is_opaque(pixels, work)?;
    let fixed = if is_opaque && ARE_VECTORS { weights.fixed() } else { None };
    let strips = Strips::new(pixels, stride, weights.radius(), work.crew.size(), &mut scratch.halos)?;
    let buffers = Mutex::new(&mut scratch.buffers);
    let tick_rows = (TICK_PRODUCTS / (stride * weights.count())).max(1);
    work.share(height.try_into().unwrap_or(u32::MAX), strips, |turn, mut strip| {
        let mut buffer = locked(&buffers).pop().unwrap_or_default();
        let mut ticks = 0;
        let tick = || {
            ticks += 1;
            if ticks % tick_rows == 0 { turn.done(tick_rows as u32) } else { Ok(()) }
        };
        let result = match &fixed {
            // Asked again, so that it is not in the module of a browser where it cannot be.
            Some(fixed) if ARE_VECTORS => fixed::blur(&mut strip, fixed, &mut buffer.fixed, tick),
            _ => float::blur(&mut strip, &weights, &mut buffer.float, tick),
        };
        let mut buffers = locked(&buffers);
        crate::memory::reserve(&mut buffers, 1)?;
        buffers.push(buffer);
        result
    })
}

/// As [`gaussian_blur`], by the radius that canvas and CSS do not have: two `sigma`.
///
/// # Errors
///
/// As [`gaussian_blur`].
pub fn gaussian_blur_radius(
    pixels: &mut [u8],
    width: usize,
    height: usize,
    radius: f32,
    scratch: &mut Scratch,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    gaussian_blur(pixels, width, height, radius / 2.0, scratch, work)
}

/// Whether an image has its sides' length, and sides.
pub(crate) fn check_image(length: usize, width: usize, height: usize) -> Result<(), KernelError> {
    if width == 0 || height == 0 {
        return Err(KernelError::Size("width and height must be at least 1"));
    }
    if width.checked_mul(height).and_then(|count| count.checked_mul(4)) != Some(length) {
        return Err(KernelError::Size("an image must hold 4·width·height bytes"));
    }
    Ok(())
}

/// Whether every pixel's alpha is 255.
pub(crate) fn is_opaque(pixels: &[u8], work: &Work<'_>) -> Result<bool, KernelError> {
    const PART_BYTES: usize = 1 << 21;
    let found = Mutex::new(true);
    work.share(u32::MAX, pixels.chunks(PART_BYTES), |_, part| {
        let (blocks, rest) = part.as_chunks::<64>();
        let both = |sum: u8, pixel: &[u8; 4]| sum & pixel[3];
        let block = |block: &[u8; 64]| block.as_chunks::<4>().0.iter().fold(255, both) == 255;
        if !blocks.iter().all(block) || rest.as_chunks::<4>().0.iter().fold(255, both) != 255 {
            *locked(&found) = false;
        }
        Ok(())
    })?;
    Ok(*locked(&found))
}
