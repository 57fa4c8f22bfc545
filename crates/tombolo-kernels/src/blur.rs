//! Gaussian blur.

use crate::memory::filled;
use crate::{KernelError, Work};

/// The largest standard deviation, in pixels.
pub const SIGMA_MAX: f32 = 500.0;

/// Memory that a blur keeps for the next.
#[derive(Debug, Default)]
pub struct Scratch {}

/// Blurs an image of red, green, blue and alpha bytes, row after row, in place.
///
/// A Gaussian of standard deviation `sigma` pixels, sampled at whole pixels up to three `sigma`, rounded
/// up, and scaled to the sum 1, along rows and columns. Pixels outside are those of the nearest edge.
/// Colours are weighted by their alpha, as if blurred premultiplied; where no pixel in reach has any
/// alpha, the result is transparent black. Each byte is within 1 of the exact result.
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
    _scratch: &mut Scratch,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    check_image(pixels.len(), width, height)?;
    if !(0.0..=SIGMA_MAX).contains(&sigma) {
        return Err(KernelError::Number("sigma must be from 0 to 500"));
    }
    if sigma == 0.0 {
        return Ok(());
    }
    let weights = weights(sigma);
    let radius = weights.len() / 2;
    let mut middle = filled([0_f32; 4], width * height)?;
    let rows = middle.chunks_exact_mut(width).zip(pixels.chunks_exact(width * 4));
    work.share(height as u32, rows, |_, (out, row)| {
        let row = row.as_chunks::<4>().0;
        for (x, out) in out.iter_mut().enumerate() {
            for (tap, weight) in weights.iter().enumerate() {
                let [r, g, b, a] = row[(x + tap).saturating_sub(radius).min(width - 1)].map(f32::from);
                let sum = [r * a, g * a, b * a, a];
                out.iter_mut().zip(sum).for_each(|(out, sum)| *out += weight * sum);
            }
        }
        Ok(())
    })?;
    work.share(height as u32, pixels.chunks_exact_mut(width * 4).enumerate(), |turn, (y, out)| {
        for (x, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let mut sums = [0_f32; 4];
            for (tap, weight) in weights.iter().enumerate() {
                let row = (y + tap).saturating_sub(radius).min(height - 1);
                sums.iter_mut().zip(middle[row * width + x]).for_each(|(sum, value)| *sum += weight * value);
            }
            let [r, g, b, a] = sums;
            let scale = if a > 0.0 { 1.0 / a } else { 0.0 };
            *out = [r * scale, g * scale, b * scale, a].map(|value| (value + 0.5) as u8);
        }
        turn.done(1)
    })
}

pub(crate) fn check_image(length: usize, width: usize, height: usize) -> Result<(), KernelError> {
    if width == 0 || height == 0 {
        return Err(KernelError::Size("width and height must be at least 1"));
    }
    if width.checked_mul(height).and_then(|count| count.checked_mul(4)) != Some(length) {
        return Err(KernelError::Size("an image must hold 4·width·height bytes"));
    }
    Ok(())
}

/// The weights of 2·⌈3·sigma⌉ + 1 pixels.
fn weights(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * f64::from(sigma)).ceil() as i32;
    let weight = |at: i32| (-0.5 * (f64::from(at) / f64::from(sigma)).powi(2)).exp();
    let sum: f64 = (-radius..=radius).map(weight).sum();
    (-radius..=radius).map(|at| (weight(at) / sum) as f32).collect()
}
