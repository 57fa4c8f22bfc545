//! Which source pixels make a target pixel, and with what weights.

use crate::KernelError;
use crate::lanes::ARE_VECTORS;
use crate::memory::{filled, reserve};

/// Bits behind the point of a weight in whole numbers.
pub(super) const WHOLE_BITS: u32 = 14;

/// How far from the result that of whole numbers may be for each direction, in steps of a byte: with what the
/// other direction makes of it and the two roundings to a byte, they then differ by at most 1.
const ERROR_MAX: f32 = 0.25;

/// Along one direction, for each target pixel the first source pixel and the weights from there on.
pub(super) struct Taps {
    firsts: Vec<usize>,
    counts: Vec<usize>,
    /// As many for each target pixel as the one with the most has.
    weights: Vec<f32>,
    count_max: usize,
    /// The same in whole numbers, of pairs of source pixels of which the first is even.
    pairs: Vec<[i16; 2]>,
    /// Whether these are exact enough: of hundreds of pixels, they are not.
    pub(super) is_whole: bool,
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
        let mut weights = filled(0.0, size)?;
        let pairs_max = count_max / 2 + 1;
        let mut pairs = filled([0; 2], if ARE_VECTORS { pairs_max * to } else { 0 })?;
        let mut is_whole = true;
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
            if ARE_VECTORS {
                let pairs = &mut pairs[at * pairs_max..][..pairs_max];
                is_whole &= round(&weights[place], &mut pairs.as_flattened_mut()[first % 2..]) <= ERROR_MAX;
            }
            firsts.push(first);
            counts.push(exact.len());
        }
        Ok(Self { firsts, counts, weights, count_max, pairs, is_whole })
    }

    /// The first source pixel of target pixel `at`, and the weights from there on.
    #[inline(always)]
    pub(super) fn at(&self, at: usize) -> (usize, &[f32]) {
        (self.firsts[at], &self.weights[at * self.count_max..][..self.counts[at]])
    }

    /// Behind the last source pixel of target pixel `at`, if there is such a one.
    pub(super) fn end(&self, at: usize) -> Option<usize> {
        Some(self.firsts.get(at)? + self.counts[at])
    }

    /// The first pair of source pixels, and their weights times 2 to the power of [`WHOLE_BITS`].
    #[inline(always)]
    pub(super) fn pairs_at(&self, at: usize) -> (usize, &[[i16; 2]]) {
        let first = self.firsts[at];
        let count = (first % 2 + self.counts[at]).div_ceil(2);
        (first / 2, &self.pairs[at * (self.count_max / 2 + 1)..][..count])
    }
}

/// Rounds weights so that they still sum to one: the largest takes what rounding left. Answers how far off
/// a result may be.
fn round(weights: &[f32], whole: &mut [i16]) -> f32 {
    let one = 1 << WHOLE_BITS;
    let whole = &mut whole[..weights.len()];
    for (whole, weight) in whole.iter_mut().zip(weights) {
        *whole = (weight * one as f32).round() as i16;
    }
    let sum: i32 = whole.iter().map(|weight| i32::from(*weight)).sum();
    if let Some(largest) = whole.iter_mut().max() {
        *largest += (one - sum) as i16;
    }
    let off = |(whole, weight): (&i16, &f32)| (f32::from(*whole) / one as f32 - weight).abs();
    // The errors sum to 0, so half of them meet white at worst, and half black.
    255.0 / 2.0 * whole.iter().zip(weights).map(off).sum::<f32>()
}

/// Catmull and Rom's cubic.
fn cubic(x: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}
