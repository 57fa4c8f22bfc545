//! Tiles: the products that are summed in registers.

use super::real::Real;

#[cfg(all(target_family = "wasm", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Numbers of the largest tile.
pub(super) const SIZE_MAX: usize = 4 * 64;

/// How to multiply two packed panels.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Of a panel of `a`, `rows` numbers a column, and one of `b`, `columns` numbers a row, the product,
    /// row after row.
    pub(super) multiply: fn(&[T], &[T], &mut [T]),
}

/// The tile for `f32`.
pub(super) fn best_f32() -> Tile<f32> {
    #[cfg(target_arch = "x86_64")]
    if let Some(tile) = x86::best_f32() {
        return tile;
    }
    #[cfg(all(target_family = "wasm", target_feature = "simd128"))]
    return wasm::best_f32();
    #[cfg(not(all(target_family = "wasm", target_feature = "simd128")))]
    Tile { rows: 4, columns: 4, multiply: multiply::<f32, 4, 4> }
}

/// The tile for `f64`.
pub(super) fn best_f64() -> Tile<f64> {
    #[cfg(target_arch = "x86_64")]
    if let Some(tile) = x86::best_f64() {
        return tile;
    }
    Tile { rows: 4, columns: 4, multiply: multiply::<f64, 4, 4> }
}

/// Any tile, in code that a compiler makes vectors of.
fn multiply<T: Real, const ROWS: usize, const COLUMNS: usize>(a: &[T], b: &[T], product: &mut [T]) {
    sum::<T, ROWS, COLUMNS>(a, b, product, |a, b, sum| sum + a * b);
}

#[inline(always)]
fn sum<T: Real, const ROWS: usize, const COLUMNS: usize>(
    a: &[T],
    b: &[T],
    product: &mut [T],
    add: impl Fn(T, T, T) -> T + Copy,
) {
    let mut sums = [[T::default(); COLUMNS]; ROWS];
    for (a, b) in a.as_chunks::<ROWS>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                sums[row][column] = add(a[row], b[column], sums[row][column]);
            }
        }
    }
    product.copy_from_slice(sums.as_flattened());
}
