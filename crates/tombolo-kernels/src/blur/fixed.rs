//! Blur in whole numbers, for images without transparency.
//!
//! Two neighbours' values stand side by side, so that one instruction multiplies both by their weights and
//! adds them; what was loaded serves two results, that of the left and of the right (or upper and lower)
//! neighbour. Along the columns neighbours are rows, along a row they are pixels at an even and an odd
//! place: rows are taken apart into these two planes, without their alpha, which a blur leaves as it is.

mod planes;
mod sums;

use planes::Planes;
use sums::Pair;

use super::strip::Strip;
use super::weights::{FRACTION_BITS, Fixed};
use crate::KernelError;
use crate::memory::{at_least, starts};

/// What one thread computes in.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// Two rows, in planes.
    planes: Vec<u8>,
    /// Pairs of rows, value by value, as many as have a weight, in turn.
    ring: Vec<u8>,
    /// Two rows that are blurred along the columns, each in pairs of pixels.
    lines: Vec<i16>,
    /// A row that is blurred both ways, in planes.
    row: Vec<u8>,
}

/// Blurs a strip; calls `tick` after each row.
pub(super) fn blur(
    strip: &mut Strip<'_>,
    weights: &Fixed,
    buffer: &mut Buffer,
    mut tick: impl FnMut() -> Result<(), KernelError>,
) -> Result<(), KernelError> {
    let stride = strip.stride;
    let (down, along) = (Pair::of(&weights.columns)?, Pair::of(&weights.rows)?);
    let count = down.len();
    let radius = count - 1;
    let planes = Planes::new(stride / 4, radius);
    let slot = 4 * planes.length;
    let ring_length = slot.checked_mul(count).ok_or(KernelError::OutOfMemory { bytes: usize::MAX })?;
    at_least(&mut buffer.planes, 0, 4 * planes.length)?;
    at_least(&mut buffer.ring, 0, ring_length)?;
    at_least(&mut buffer.lines, 0, 4 * planes.length)?;
    at_least(&mut buffer.row, 0, 2 * planes.out_length)?;
    let (upper, lower) = buffer.planes[..4 * planes.length].split_at_mut(2 * planes.length);
    let (first, second) = buffer.lines[..4 * planes.length].split_at_mut(2 * planes.length);
    let height = strip.rows.len() / stride;
    // Where in the ring the pairs of rows are, from the one that is written next on.
    let mut slots = starts(count, slot)?;
    for at in (0..height + 2 * radius).step_by(2) {
        planes.take(strip.row(at, radius), upper);
        // Of an odd number of rows, the last is its own neighbour: what comes of that is not used.
        planes.take(strip.row((at + 1).min(height + 2 * radius - 1), radius), lower);
        sums::side_by_side(upper, lower, &mut buffer.ring[slots[0]..][..slot]);
        slots.rotate_left(1);
        let Some(y) = at.checked_sub(2 * radius) else { continue };
        let shift = weights.columns.bits - FRACTION_BITS;
        sums::columns(&buffer.ring, &slots, &down, shift, [first, second]);
        let rows = strip.rows[y * stride..].chunks_exact_mut(stride);
        for (pixels, line) in rows.zip([&*first, &*second]) {
            let row = &mut buffer.row[..2 * planes.out_length];
            sums::row(line, &along, weights.rows.bits + FRACTION_BITS, row);
            planes.give(row, pixels);
            tick()?;
        }
    }
    Ok(())
}
