//! Which source pixels make a target pixel, and with what weights.

use crate::KernelError;
use crate::memory::{filled, reserve};

/// Bits behind the point of a weight in whole numbers.
pub(super) const WHOLE_BITS: u32 = 14;

/// Along one direction, for each target pixel the first source pixel and the weights from there on.
pub(super) struct Taps {
    firsts: Vec<usize>,
    counts: Vec<usize>,
    /// As many for each target pixel as the one with the most has.
    weights: Vec<f32>,
    whole: Vec<i16>,
    count_max: usize,
}

impl Taps {
    /// For `from` source pixels and `to` target pixels, at least one each.
    pub(super) fn new(from: usize, to: usize) -> Result<Self, KernelError> {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let count_max = ((4.0 * stretch).ceil() as usize + 2).min(from);
        let size = count_max.checked_mul(to).ok_or(KernelError::OutOfMemory { bytes: usize::MAX })?;
        let (mut firsts, mut counts) = (Vec::new(), Vec::new());
        reserve(&mut firsts, to)?;
        reserve(&mut counts, to)?;
        let (mut weights, mut whole) = (filled(0.0, size)?, filled(0, size)?);
        let mut exact = filled(0.0, count_max)?;
        for at in 0..to {
            let centre = (at as f64 + 0.5) * scale;
            let first = (centre - 2.0 * stretch).floor().max(0.0) as usize;
            let end = ((centre + 2.0 * stretch).ceil() as usize).min(from).min(first + count_max);
            let exact = &mut exact[..end - first];
            for (weight, source) in exact.iter_mut().zip(first..) {
                *weight = cubic((source as f64 + 0.5 - centre) / stretch);
            }
            let sum: f64 = exact.iter().sum();
            let place = at * count_max..at * count_max + exact.len();
            for (weight, exact) in weights[place.clone()].iter_mut().zip(&*exact) {
                *weight = (exact / sum) as f32;
            }
            round(&weights[place.clone()], &mut whole[place]);
            firsts.push(first);
            counts.push(exact.len());
        }
        Ok(Self { firsts, counts, weights, whole, count_max })
    }

    /// The first source pixel of target pixel `at`, and the weights from there on.
    #[inline(always)]
    pub(super) fn at(&self, at: usize) -> (usize, &[f32]) {
        (self.firsts[at], &self.weights[at * self.count_max..][..self.counts[at]])
    }

    /// The same weights times 2 to the power of [`WHOLE_BITS`].
    pub(super) fn whole_at(&self, at: usize) -> &[i16] {
        &self.whole[at * self.count_max..][..self.counts[at]]
    }
}

/// Rounds weights so that they still sum to one: the largest takes what rounding left.
fn round(weights: &[f32], whole: &mut [i16]) {
    let one = 1 << WHOLE_BITS;
    for (whole, weight) in whole.iter_mut().zip(weights) {
        *whole = (weight * one as f32).round() as i16;
    }
    let sum: i32 = whole.iter().map(|weight| i32::from(*weight)).sum();
    if let Some(largest) = whole.iter_mut().max() {
        *largest += (one - sum) as i16;
    }
}

/// Catmull and Rom's cubic.
fn cubic(x: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}
