//! Weighted sums of pairs.

use crate::KernelError;
use crate::blur::weights::FixedWeights;
use crate::lanes::{self, BLOCK, Lanes};
use crate::memory::reserve;

/// The weights of a pair of neighbours in two results.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// In that of the first of two neighbours.
    first: [i16; 2],
    /// In that of the second: the same, one further.
    second: [i16; 2],
}

impl Pair {
    /// A radius and one of them.
    pub(super) fn of(weights: &FixedWeights) -> Result<Vec<Self>, KernelError> {
        let radius = weights.whole.len() - 1;
        // Of places from the first result's leftmost pixel on.
        let first = |place: usize| weights.whole.get(place.abs_diff(radius)).copied().unwrap_or(0);
        let second = |place: usize| place.checked_sub(1).map_or(0, first);
        let mut pairs = Vec::new();
        reserve(&mut pairs, radius + 1)?;
        let places = (0..=radius).map(|pair| [2 * pair, 2 * pair + 1]);
        pairs.extend(places.map(|places| Self { first: places.map(first), second: places.map(second) }));
        Ok(pairs)
    }
}

/// Results that are computed at once: two times a block.
type Block = [Lanes; 4];

/// Writes the values of two rows in turn.
pub(super) fn side_by_side(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let both = upper.as_chunks::<BLOCK>().0.iter().zip(lower.as_chunks::<BLOCK>().0);
    for (out, (upper, lower)) in out.as_chunks_mut::<{ 2 * BLOCK }>().0.iter_mut().zip(both) {
        lanes::side_by_side(upper, lower, out);
    }
}

/// Blurs along the columns: `slots` are where pairs of rows begin in `ring`. Each line gets pairs of pixels.
#[inline(never)]
#[expect(unsafe_code, reason = "a check for each vector takes longer than what is done with it")]
pub(super) fn columns(ring: &[u8], slots: &[usize], pairs: &[Pair], shift: u32, lines: [&mut [i16]; 2]) {
    let [first, second] = lines;
    let plane = first.len() / 2;
    assert!(slots.iter().all(|slot| slot + 4 * plane <= ring.len()) && plane.is_multiple_of(BLOCK));
    let lines = first.as_chunks_mut::<{ 2 * BLOCK }>().0.iter_mut();
    for (block, lines) in lines.zip(second.as_chunks_mut::<{ 2 * BLOCK }>().0).enumerate() {
        let [even, odd] = [0, plane].map(|plane| {
            let from = 2 * (plane + block * BLOCK);
            sum(shift, slots.iter().zip(pairs).map(|(slot, pair)| (slot + from, pair)), |at| {
                // SAFETY: the block is within a plane, and both planes within the slot.
                unsafe { lanes::wide_pairs(ring, at) }
            })
        });
        for (line, (even, odd)) in [lines.0, lines.1].into_iter().zip(even.into_iter().zip(odd)) {
            lanes::store_pairs(line, even, odd);
        }
    }
}

/// Blurs along a row of pairs of pixels, and writes it in planes.
#[inline(never)]
#[expect(unsafe_code, reason = "a check for each vector takes longer than what is done with it")]
pub(super) fn row(line: &[i16], pairs: &[Pair], shift: u32, row: &mut [u8]) {
    let (even, odd) = row.split_at_mut(row.len() / 2);
    assert!(2 * (even.len() + 3 * pairs.len()) <= line.len() + 6);
    let planes = even.as_chunks_mut::<BLOCK>().0.iter_mut().zip(odd.as_chunks_mut::<BLOCK>().0);
    for (block, (even, odd)) in planes.enumerate() {
        let starts = (0..).step_by(6).map(|place| place + 2 * block * BLOCK);
        let sums = sum(shift, starts.zip(pairs), |at| {
            // SAFETY: the last block's last pair is within the line, as was checked.
            unsafe { lanes::pairs(line, at) }
        });
        lanes::store_bytes(even, sums[0]);
        lanes::store_bytes(odd, sums[1]);
    }
}

/// The two results of a block, in 16 bits, from where its pairs begin and what `load` says is there.
#[inline(always)]
fn sum<'p>(
    shift: u32,
    pairs: impl Iterator<Item = (usize, &'p Pair)>,
    load: impl Fn(usize) -> Block,
) -> [[Lanes; 2]; 2] {
    let rounding = [lanes::splat(1 << (shift - 1)); 4];
    let (mut first, mut second) = (rounding, rounding);
    for (at, pair) in pairs {
        let (first_weights, second_weights) = (lanes::splat_pair(pair.first), lanes::splat_pair(pair.second));
        let [a, b, c, d] = load(at);
        let add = |sums: Block, weights| {
            [
                lanes::add_products(sums[0], a, weights),
                lanes::add_products(sums[1], b, weights),
                lanes::add_products(sums[2], c, weights),
                lanes::add_products(sums[3], d, weights),
            ]
        };
        first = add(first, first_weights);
        second = add(second, second_weights);
    }
    [first, second].map(|[a, b, c, d]| [lanes::narrow(a, b, shift), lanes::narrow(c, d, shift)])
}
