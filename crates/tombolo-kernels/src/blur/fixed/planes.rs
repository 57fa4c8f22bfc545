//! Rows taken apart into pixels at even and at odd places, without their alpha.

use crate::lanes::{self, BLOCK};

/// Pixels at a time: a check for every four would take as long as they do.
const STEP: usize = 16;
/// Bytes that are touched in a plane for them.
const WINDOW: usize = STEP / 2 * 3 + 2;

/// How rows are taken apart. Places count from a radius left of the row on: there and behind its end, its
/// first and last pixel are repeated.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    radius: usize,
    /// Values of a plane. It has a few more than its pixels', so that no block is cut.
    pub(super) length: usize,
    /// Values of a plane of results: a radius less on each side, and two more than the pixels'.
    pub(super) out_length: usize,
}

impl Planes {
    pub(super) fn new(width: usize, radius: usize) -> Self {
        let out_length = (width.div_ceil(2) * 3 + 2).next_multiple_of(BLOCK);
        let length = (out_length + 3 * (radius + 1)).next_multiple_of(BLOCK);
        Self { radius, length, out_length }
    }

    /// Writes both planes of a row, one behind the other.
    #[inline(never)]
    pub(super) fn take(&self, pixels: &[u8], planes: &mut [u8]) {
        let (even, odd) = planes.split_at_mut(self.length);
        let half = self.radius / 2;
        let (first, second, second_half) =
            if self.radius.is_multiple_of(2) { (even, odd, half) } else { (odd, even, half + 1) };
        let (first, second) = (&mut first[3 * half..], &mut second[3 * second_half..]);
        let steps = pixels.as_chunks::<{ 4 * STEP }>().0;
        for (at, step) in steps.iter().enumerate() {
            let (first, second) = (window_mut(first, at), window_mut(second, at));
            for (at, four) in step.as_chunks::<16>().0.iter().enumerate() {
                let [first, second] = [&mut *first, &mut *second].map(|window| {
                    window[6 * at..].first_chunk_mut().expect("a window is four times six bytes and two")
                });
                lanes::take(four, first, second);
            }
        }
        let pixels = pixels.as_chunks::<4>().0;
        let (even, odd) = planes.split_at_mut(self.length);
        let mut put = |place: usize, pixel: &[u8; 4]| {
            let plane = if place.is_multiple_of(2) { &mut *even } else { &mut *odd };
            plane[place / 2 * 3..][..3].copy_from_slice(&pixel[..3]);
        };
        let last = pixels.len() - 1;
        (0..self.radius).for_each(|place| put(place, &pixels[0]));
        for place in steps.len() * STEP..pixels.len() + self.radius + 1 {
            put(place + self.radius, &pixels[place.min(last)]);
        }
    }

    /// Writes a row of planes of results, with an alpha of 255.
    #[inline(never)]
    pub(super) fn give(&self, planes: &[u8], pixels: &mut [u8]) {
        let (even, odd) = planes.split_at(self.out_length);
        let (steps, rest) = pixels.as_chunks_mut::<{ 4 * STEP }>();
        let count = steps.len();
        for (at, step) in steps.iter_mut().enumerate() {
            let (even, odd) = (window(even, at), window(odd, at));
            for (at, four) in step.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let [even, odd] = [even, odd].map(|window| {
                    window[6 * at..].first_chunk().expect("a window is four times six bytes and two")
                });
                lanes::give(even, odd, four);
            }
        }
        for (place, pixel) in rest.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let plane = if place.is_multiple_of(2) { even } else { odd };
            let at = (count * STEP + place) / 2 * 3;
            *pixel = [plane[at], plane[at + 1], plane[at + 2], 255];
        }
    }
}

/// A step's pixels in a plane and two values behind them, which a plane has.
#[inline(always)]
fn window(plane: &[u8], step: usize) -> &[u8; WINDOW] {
    plane[step * (WINDOW - 2)..].first_chunk().expect("a plane is longer than its pixels")
}

#[inline(always)]
fn window_mut(plane: &mut [u8], step: usize) -> &mut [u8; WINDOW] {
    plane[step * (WINDOW - 2)..].first_chunk_mut().expect("a plane is longer than its pixels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_given_back() {
        for (count, radius) in (1_u8..70).flat_map(|count| (1..9).map(move |radius| (count, radius))) {
            let pixels = (0..count).flat_map(|at| [at, at + 100, at * 3, 255]).collect::<Vec<_>>();
            let planes = Planes::new(usize::from(count), radius);
            let mut taken = vec![7; 2 * planes.length];
            planes.take(&pixels, &mut taken);
            let (even, odd) = taken.split_at(planes.length);
            let at = |place: usize| &(if place.is_multiple_of(2) { even } else { odd })[place / 2 * 3..][..3];
            for place in 0..usize::from(count) + 2 * radius {
                let pixel = place.saturating_sub(radius).min(usize::from(count) - 1);
                assert_eq!(at(place), &pixels[4 * pixel..][..3], "{count} {radius} {place}");
            }
            let mut row = vec![0; 2 * planes.out_length];
            for place in 0..usize::from(count) {
                let plane = place % 2 * planes.out_length;
                row[plane + place / 2 * 3..][..3].copy_from_slice(at(place + radius));
            }
            let mut back = vec![0; pixels.len()];
            planes.give(&row, &mut back);
            assert_eq!(back, pixels);
        }
    }
}
