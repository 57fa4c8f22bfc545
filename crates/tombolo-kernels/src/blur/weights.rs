//! The weights of a Gaussian.

/// How far from the exact weights' result that of whole numbers may be, in steps of a byte. With the two
/// roundings to a byte, the exact one's and ours, they then differ by at most 1.
const ERROR_MAX: f64 = 0.4;

/// Weights of the pixels at distance 0, 1, … up to the radius; both sides together sum to 1.
pub(super) struct Weights {
    exact: Vec<f64>,
}

/// Weights in whole numbers, for both directions.
pub(super) struct Fixed {
    /// Of bytes.
    pub(super) columns: FixedWeights,
    /// Of what `columns` yields: bytes with [`FRACTION_BITS`] more bits.
    pub(super) rows: FixedWeights,
}

/// Weights of the pixels at distance 0, 1, … up to the radius, times 2 to the power of `bits`.
pub(super) struct FixedWeights {
    pub(super) whole: Vec<i16>,
    pub(super) bits: u32,
}

/// Bits behind the point of a value between the two directions: it fits 16 bits.
pub(super) const FRACTION_BITS: u32 = 7;

impl Weights {
    /// Up to a radius of ⌈3·sigma⌉. `sigma` is above 0.
    pub(super) fn new(sigma: f32) -> Self {
        let sigma = f64::from(sigma);
        let radius = (3.0 * sigma).ceil().max(1.0) as u32;
        let exact = (0..=radius).map(|at| (-0.5 * (f64::from(at) / sigma).powi(2)).exp()).collect();
        let mut weights = Self { exact };
        let sum = 2.0 * weights.exact.iter().sum::<f64>() - weights.exact[0];
        weights.exact.iter_mut().for_each(|weight| *weight /= sum);
        weights
    }

    pub(super) fn radius(&self) -> usize {
        self.exact.len() - 1
    }

    /// How many pixels have a weight.
    pub(super) fn count(&self) -> usize {
        2 * self.radius() + 1
    }

    /// Of both sides together: that of the middle is half, as it is added to itself.
    pub(super) fn float(&self) -> Vec<f32> {
        let mut weights = self.exact.iter().map(|weight| *weight as f32).collect::<Vec<_>>();
        weights[0] /= 2.0;
        weights
    }

    /// In whole numbers, if they are exact enough.
    pub(super) fn fixed(&self) -> Option<Fixed> {
        // A sum of bytes, or of bytes with a fraction, times 2 to the power of bits stays below 2³¹.
        let (columns, columns_error) = self.rounded(22)?;
        let (rows, rows_error) = self.rounded(31 - 8 - FRACTION_BITS)?;
        let error = columns_error + rows_error + 0.5 / f64::from(1_u32 << FRACTION_BITS);
        (error <= ERROR_MAX).then_some(Fixed { columns, rows })
    }

    /// Weights of as many bits as fit, `bits_max` at most, and how far their result may be off.
    fn rounded(&self, bits_max: u32) -> Option<(FixedWeights, f64)> {
        let largest = self.exact[0];
        let fits = |bits: &u32| (largest * f64::from(1_u32 << bits)).round() < f64::from(i16::MAX);
        let bits = (8..=bits_max).rev().find(fits)?;
        let one = f64::from(1_u32 << bits);
        let mut whole = self.exact.iter().map(|weight| (weight * one).round() as i32).collect::<Vec<_>>();
        // All of one colour stays that colour: the middle takes what rounding left.
        let sum = 2 * whole.iter().sum::<i32>() - whole[0];
        whole[0] += (1 << bits) - sum;
        let off = |(whole, exact): (&i32, &f64)| (f64::from(*whole) / one - exact).abs();
        let off = 2.0 * whole.iter().zip(&self.exact).map(off).sum::<f64>();
        let whole = whole.into_iter().map(i16::try_from).collect::<Result<Vec<_>, _>>().ok()?;
        // The weights' errors sum to 0, so half of them meet white at worst, and half black.
        Some((FixedWeights { whole, bits }, 255.0 * off / 2.0))
    }
}
