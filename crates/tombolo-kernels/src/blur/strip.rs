//! Strips of an image that threads blur in place, each with a copy of its neighbours' nearest rows.

use crate::KernelError;
use crate::memory::at_least;

/// Strips of a thread: so that none waits long for the last.
const STRIPS_EACH: usize = 8;

/// Rows that one thread blurs.
pub(super) struct Strip<'p> {
    /// Bytes of a row.
    pub(super) stride: usize,
    pub(super) rows: &'p mut [u8],
    /// As many rows above as the radius, as they were; above the image, its first row again.
    pub(super) above: &'p [u8],
    /// The same below.
    pub(super) below: &'p [u8],
}

impl Strip<'_> {
    /// The row that is `at - radius` rows below the first: also above it, and below the last.
    pub(super) fn row(&self, at: usize, radius: usize) -> &[u8] {
        let height = self.rows.len() / self.stride;
        let (rows, row) = match at.checked_sub(radius) {
            None => (self.above, at),
            Some(row) if row < height => (&*self.rows, row),
            Some(row) => (self.below, row - height),
        };
        &rows[row * self.stride..][..self.stride]
    }
}

/// The strips of an image.
pub(super) struct Strips<'p> {
    stride: usize,
    halo_bytes: usize,
    rows: std::slice::ChunksMut<'p, u8>,
    halos: std::slice::ChunksExact<'p, u8>,
}

impl<'p> Strips<'p> {
    /// Copies to `halos` what strips need of each other.
    pub(super) fn new(
        pixels: &'p mut [u8],
        stride: usize,
        radius: usize,
        threads: usize,
        halos: &'p mut Vec<u8>,
    ) -> Result<Self, KernelError> {
        let height = pixels.len() / stride;
        // Four radii high, a strip's copies are at most half of it.
        let rows = height.div_ceil(threads * STRIPS_EACH).max(4 * radius);
        let count = height.div_ceil(rows);
        let halo_bytes = radius * stride;
        let bytes =
            (2 * count).checked_mul(halo_bytes).ok_or(KernelError::OutOfMemory { bytes: usize::MAX })?;
        at_least(halos, 0, bytes)?;
        let copies = halos[..bytes].chunks_exact_mut(stride);
        let sources = (0..count).flat_map(|strip| {
            let (start, end) = (strip * rows, ((strip + 1) * rows).min(height));
            let above = (0..radius).map(move |row| (start + row).saturating_sub(radius));
            above.chain((end..end + radius).map(move |row| row.min(height - 1)))
        });
        for (copy, row) in copies.zip(sources) {
            copy.copy_from_slice(&pixels[row * stride..][..stride]);
        }
        let halos = halos[..bytes].chunks_exact(2 * halo_bytes);
        Ok(Self { stride, halo_bytes, rows: pixels.chunks_mut(rows * stride), halos })
    }
}

impl<'p> Iterator for Strips<'p> {
    type Item = Strip<'p>;

    fn next(&mut self) -> Option<Strip<'p>> {
        let (rows, halo) = (self.rows.next()?, self.halos.next()?);
        let (above, below) = halo.split_at(self.halo_bytes);
        Some(Strip { stride: self.stride, rows, above, below })
    }
}
