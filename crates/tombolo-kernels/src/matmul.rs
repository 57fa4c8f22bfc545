//! Matrix products.

use crate::{KernelError, Work};

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

/// c = a·b, all row after row. Sums are taken in another order than a plain loop's, in `f32`.
///
/// # Errors
///
/// [`KernelError::Size`] if a dimension is zero or a length is not that of its dimensions.
pub fn matmul_f32(a: &[f32], b: &[f32], c: &mut [f32], shape: Shape, work: &Work<'_>) -> Result<(), KernelError> {
    shape.check(a.len(), b.len(), c.len())?;
    let Shape { m, k, n } = shape;
    work.share(m as u32, c.chunks_exact_mut(n).zip(a.chunks_exact(k)), |turn, (c, a)| {
        c.fill(0.0);
        for (a, b) in a.iter().zip(b.chunks_exact(n)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
        turn.done(1)
    })
}

/// As [`matmul_f32`], in `f64`.
///
/// # Errors
///
/// As [`matmul_f32`].
pub fn matmul_f64(a: &[f64], b: &[f64], c: &mut [f64], shape: Shape, work: &Work<'_>) -> Result<(), KernelError> {
    shape.check(a.len(), b.len(), c.len())?;
    let Shape { m, k, n } = shape;
    work.share(m as u32, c.chunks_exact_mut(n).zip(a.chunks_exact(k)), |turn, (c, a)| {
        c.fill(0.0);
        for (a, b) in a.iter().zip(b.chunks_exact(n)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
        turn.done(1)
    })
}
