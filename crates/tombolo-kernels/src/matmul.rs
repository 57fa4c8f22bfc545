//! Matrix products: blocked, packed, in tiles that stay in registers.
//!
//! The inner dimension is cut into blocks. Of each, `b` is packed into panels as wide as a tile; threads
//! take bands of rows, pack theirs of `a` into panels as high as a tile, and multiply panel by panel: one
//! of `b` stays in the first cache while all of the band's pass it.

mod real;
mod tile;

use std::sync::Mutex;

use real::Real;
use tile::Tile;

use crate::memory::filled;
use crate::work::locked;
use crate::{KernelError, Work};

/// Longest block of the inner dimension: a panel of `b`, 16 wide, is then 16 KiB.
const INNER_MAX: usize = 256;
/// Rows of a band: a millisecond's work at a thousand columns.
const BAND_ROWS: usize = 48;

/// Rows, inner length and columns of a product: `a` is m × k, `b` is k × n, `c` is m × n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of `a` and `c`.
    pub m: usize,
    /// Columns of `a`, rows of `b`.
    pub k: usize,
    /// Columns of `b` and `c`.
    pub n: usize,
}

impl Shape {
    fn check(self, a: usize, b: usize, c: usize) -> Result<(), KernelError> {
        let Self { m, k, n } = self;
        if m == 0 || k == 0 || n == 0 {
            return Err(KernelError::Size("m, k and n must be at least 1"));
        }
        let fits = |rows: usize, columns: usize, length| rows.checked_mul(columns) == Some(length);
        if !(fits(m, k, a) && fits(k, n, b) && fits(m, n, c)) {
            return Err(KernelError::Size("a must hold m·k numbers, b k·n and c m·n"));
        }
        Ok(())
    }
}

/// c = a·b, all row after row.
///
/// Sums are taken in another order than a plain loop's; where the processor fuses a product and a sum, so
/// does this. So the last bits differ between machines. Each element is within k·2⁻²³ of the sum of its
/// products' magnitudes. Not-a-number and infinities come out as they would of a loop.
///
/// # Errors
///
/// [`KernelError::Size`] if a dimension is zero or a length is not that of its dimensions.
pub fn matmul_f32(
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    shape: Shape,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    multiply(a, b, c, shape, work)
}

/// As [`matmul_f32`], in `f64`: within k·2⁻⁵².
///
/// # Errors
///
/// As [`matmul_f32`].
pub fn matmul_f64(
    a: &[f64],
    b: &[f64],
    c: &mut [f64],
    shape: Shape,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    multiply(a, b, c, shape, work)
}

fn multiply<T: Real>(
    a: &[T],
    b: &[T],
    c: &mut [T],
    shape: Shape,
    work: &Work<'_>,
) -> Result<(), KernelError> {
    shape.check(a.len(), b.len(), c.len())?;
    let Shape { m, k, n } = shape;
    let tile = T::tile();
    let blocks = k.div_ceil(INNER_MAX);
    let inner = k.div_ceil(blocks);
    let bands = m.div_ceil(BAND_ROWS);
    work.begin(blocks * bands)?;
    let mut packed_b = filled(T::default(), n.next_multiple_of(tile.columns) * inner)?;
    let packed_a = Mutex::new(Vec::new());
    for _ in 0..work.crew.size().min(bands) {
        locked(&packed_a).push(filled(T::default(), BAND_ROWS.next_multiple_of(tile.rows) * inner)?);
    }
    for from in (0..k).step_by(inner) {
        let block = Block { a, b, shape, from, inner: inner.min(k - from), done: from / inner * bands };
        let total = (blocks * bands).try_into().unwrap_or(u32::MAX);
        let panels = packed_b.chunks_exact_mut(tile.columns * block.inner).enumerate();
        work.share(total, panels, |_, (panel, out)| {
            block.pack_b(panel * tile.columns, tile.columns, out);
            Ok(())
        })?;
        let bands = c.chunks_mut(BAND_ROWS * n).enumerate();
        work.share(total, bands, |turn, (band, c)| {
            let mut packed = locked(&packed_a).pop().unwrap_or_default();
            if packed.is_empty() {
                // More threads came than there were when the product began.
                packed = filled(T::default(), BAND_ROWS.next_multiple_of(tile.rows) * inner)?;
            }
            block.band(band * BAND_ROWS, c, &mut packed, &packed_b, &tile);
            locked(&packed_a).push(packed);
            turn.done_of(block.done, 1)
        })?;
    }
    Ok(())
}

/// A block of the inner dimension.
struct Block<'m, T> {
    a: &'m [T],
    b: &'m [T],
    shape: Shape,
    /// Where it begins.
    from: usize,
    /// How long it is.
    inner: usize,
    /// Bands that were computed before it.
    done: usize,
}

impl<T: Real> Block<'_, T> {
    /// Packs `width` columns of `b`: row after row, padded with zeros on the right.
    fn pack_b(&self, column: usize, width: usize, out: &mut [T]) {
        let n = self.shape.n;
        let used = width.min(n - column);
        for (out, row) in out.chunks_exact_mut(width).zip(self.b[self.from * n..].chunks_exact(n)) {
            out[..used].copy_from_slice(&row[column..column + used]);
            out[used..].fill(T::default());
        }
    }

    /// Packs rows of `a` into panels as high as a tile: column after column, padded with zeros below.
    fn pack_a(&self, row: usize, rows: usize, height: usize, out: &mut [T]) {
        let k = self.shape.k;
        for (panel, out) in out.chunks_exact_mut(height * self.inner).enumerate() {
            for at in 0..height {
                let row = row + panel * height + at;
                let is_there = panel * height + at < rows;
                let start = row * k + self.from;
                let values = if is_there { &self.a[start..start + self.inner] } else { &[] };
                let values = values.iter().copied().chain(std::iter::repeat(T::default()));
                out[at..].iter_mut().step_by(height).zip(values).for_each(|(out, value)| *out = value);
            }
        }
    }

    /// Adds to the rows `c`, the first of which is `row`, what this block contributes.
    fn band(&self, row: usize, c: &mut [T], packed_a: &mut [T], packed_b: &[T], tile: &Tile<T>) {
        let n = self.shape.n;
        let rows = c.len() / n;
        let packed_a = &mut packed_a[..rows.next_multiple_of(tile.rows) * self.inner];
        self.pack_a(row, rows, tile.rows, packed_a);
        let mut product = [T::default(); tile::SIZE_MAX];
        let product = &mut product[..tile.rows * tile.columns];
        let panels = packed_b.chunks_exact(tile.columns * self.inner).take(n.div_ceil(tile.columns));
        for (panel, b) in panels.enumerate() {
            let column = panel * tile.columns;
            let width = tile.columns.min(n - column);
            for (panel, a) in packed_a.chunks_exact(tile.rows * self.inner).enumerate() {
                (tile.multiply)(a, b, product);
                let c = c[panel * tile.rows * n..].chunks_exact_mut(n);
                for (c, product) in c.zip(product.chunks_exact(tile.columns)) {
                    let c = &mut c[column..column + width];
                    if self.from == 0 {
                        c.copy_from_slice(&product[..width]);
                    } else {
                        c.iter_mut().zip(product).for_each(|(c, product)| *c += *product);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Alone;

    /// Numbers of no pattern, from -1 to 1.
    fn noise(count: usize, seed: u64) -> Vec<f64> {
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some((*state >> 32) as f64 / f64::from(1_u32 << 31) - 1.0)
        };
        (0..count).scan(seed, |state, _| next(state)).collect()
    }

    /// The obvious product, and the sums of magnitudes that bound its error.
    fn plain(a: &[f64], b: &[f64], Shape { m, k, n }: Shape) -> Vec<(f64, f64)> {
        let at = |row: usize, column: usize| {
            let products = (0..k).map(|i| a[row * k + i] * b[i * n + column]);
            products.fold((0.0, 0.0), |(sum, size), product| (sum + product, size + product.abs()))
        };
        (0..m * n).map(|i| at(i / n, i % n)).collect()
    }

    fn check(shape: Shape, seed: u64) {
        let Shape { m, k, n } = shape;
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
        let (a, b) = (narrow(&noise(m * k, seed)), narrow(&noise(k * n, seed ^ 7)));
        let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
        let (wide_a, wide_b) = (wide(&a), wide(&b));
        let expected = plain(&wide_a, &wide_b, shape);
        let (mut c, mut wide_c) = (vec![f32::NAN; m * n], vec![f64::NAN; m * n]);
        matmul_f32(&a, &b, &mut c, shape, &Work::ALONE).unwrap();
        matmul_f64(&wide_a, &wide_b, &mut wide_c, shape, &Work::ALONE).unwrap();
        for ((sum, size), (c, wide_c)) in expected.iter().zip(c.iter().zip(&wide_c)) {
            let bound = size * k as f64 + f64::MIN_POSITIVE;
            assert!((sum - f64::from(*c)).abs() <= bound * f64::from(f32::EPSILON), "{shape:?}: {sum} {c}");
            assert!((sum - wide_c).abs() <= bound * f64::EPSILON, "{shape:?}: {sum} {wide_c}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_obvious_product(
            m in 1_usize..120, k in 1_usize..60, n in 1_usize..90, seed in any::<u64>(),
        ) {
            check(Shape { m, k, n }, seed);
        }
    }

    #[test]
    fn agrees_over_several_blocks_and_in_one_row_or_column() {
        for (m, k, n) in [(50, 700, 33), (1, 1000, 1), (1, 3, 500), (500, 3, 1), (49, 257, 65)] {
            check(Shape { m, k, n }, 3);
        }
    }

    #[test]
    fn what_is_no_number_is_not_lost() {
        let shape = Shape { m: 1, k: 2, n: 2 };
        let mut c = [0.0; 2];
        matmul_f32(&[0.0, 1.0], &[f32::NAN, 1.0, 1.0, f32::INFINITY], &mut c, shape, &Work::ALONE).unwrap();
        assert!(c[0].is_nan() && c[1] == f32::INFINITY);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let refused = |a, b, c, (m, k, n)| {
            let result =
                matmul_f32(&vec![0.0; a], &vec![0.0; b], &mut vec![0.0; c], Shape { m, k, n }, &Work::ALONE);
            assert!(matches!(result, Err(KernelError::Size(_))));
        };
        refused(0, 0, 0, (0, 0, 0));
        refused(4, 4, 3, (2, 2, 2));
        refused(4, 4, 4, (usize::MAX, 2, 2));
    }

    #[test]
    fn a_watch_that_says_stop_stops_it() {
        struct Stop;
        impl crate::Watch for Stop {
            fn goes_on(&self, done: u32, total: u32) -> bool {
                assert!(done <= total);
                done < 2
            }
        }
        let work = Work { crew: &Alone, watch: &Stop };
        let shape = Shape { m: 200, k: 20, n: 20 };
        let result = matmul_f32(&[1.0; 4000], &[1.0; 400], &mut [0.0; 4000], shape, &work);
        assert_eq!(result, Err(KernelError::Aborted));
    }
}
