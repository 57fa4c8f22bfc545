//! Arrays, of which a compiler makes vectors. Nothing here is unsafe but what is where there are vectors.
#![expect(unsafe_code, reason = "to be called as the vectors' functions are")]

use super::BLOCK;

/// Four numbers, or as many pairs of 16 bits, the first the lower.
pub(crate) type Lanes = [i32; 4];

pub(crate) fn splat(value: i32) -> Lanes {
    [value; 4]
}

pub(crate) fn splat_pair(pair: [i16; 2]) -> Lanes {
    [of_pair(pair); 4]
}

fn of_pair(pair: [i16; 2]) -> i32 {
    i32::from(pair[0]) & 0xFFFF | i32::from(pair[1]) << 16
}

fn pair_of(lane: i32) -> [i16; 2] {
    [lane as i16, (lane >> 16) as i16]
}

/// Adds the products of each pair.
pub(crate) fn add_products(sums: Lanes, pairs: Lanes, weights: Lanes) -> Lanes {
    std::array::from_fn(|lane| {
        let ([a, b], [c, d]) = (pair_of(pairs[lane]), pair_of(weights[lane]));
        sums[lane] + i32::from(a) * i32::from(c) + i32::from(b) * i32::from(d)
    })
}

pub(crate) fn narrow(low: Lanes, high: Lanes, shift: u32) -> Lanes {
    let narrow = |sum: i32| (sum >> shift).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    let [a, b, c, d] = low.map(narrow);
    let [e, f, g, h] = high.map(narrow);
    [[a, b], [c, d], [e, f], [g, h]].map(of_pair)
}

/// The pairs of bytes of a block, from byte `at` on.
///
/// # Safety
///
/// There must be so many: two blocks of bytes.
pub(crate) unsafe fn wide_pairs(bytes: &[u8], at: usize) -> [Lanes; 4] {
    let bytes = &bytes[at..at + 2 * BLOCK];
    std::array::from_fn(|lanes| {
        std::array::from_fn(|lane| {
            let at = 8 * lanes + 2 * lane;
            of_pair([bytes[at].into(), bytes[at + 1].into()])
        })
    })
}

/// The pairs of a block, from number `at` on.
///
/// # Safety
///
/// There must be so many: two blocks of numbers.
pub(crate) unsafe fn pairs(numbers: &[i16], at: usize) -> [Lanes; 4] {
    let numbers = &numbers[at..at + 2 * BLOCK];
    std::array::from_fn(|lanes| {
        std::array::from_fn(|lane| {
            of_pair([numbers[8 * lanes + 2 * lane], numbers[8 * lanes + 2 * lane + 1]])
        })
    })
}

/// Writes the numbers of two blocks in turn.
pub(crate) fn store_pairs(out: &mut [i16; 2 * BLOCK], even: [Lanes; 2], odd: [Lanes; 2]) {
    let numbers = |block: [Lanes; 2]| block.into_iter().flatten().flat_map(pair_of);
    for (out, (even, odd)) in out.as_chunks_mut::<2>().0.iter_mut().zip(numbers(even).zip(numbers(odd))) {
        *out = [even, odd];
    }
}

pub(crate) fn store_bytes(out: &mut [u8; BLOCK], sums: [Lanes; 2]) {
    let sums = sums.into_iter().flatten().flat_map(pair_of);
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum.clamp(0, 255) as u8);
}

/// Writes the bytes of two blocks in turn.
pub(crate) fn side_by_side(upper: &[u8; BLOCK], lower: &[u8; BLOCK], out: &mut [u8; 2 * BLOCK]) {
    for (out, (upper, lower)) in out.as_chunks_mut::<2>().0.iter_mut().zip(upper.iter().zip(lower)) {
        *out = [*upper, *lower];
    }
}

/// Of four pixels, the first and third, and the second and fourth, without their alpha.
#[inline(always)]
pub(crate) fn take(four: &[u8; 16], first: &mut [u8; 8], second: &mut [u8; 8]) {
    let [a, b] = [0, 1].map(|half| u64::from_le_bytes(four.as_chunks::<8>().0[half]));
    let two = |shift: u32| a >> shift & 0xFF_FFFF | (b >> shift & 0xFF_FFFF) << 24;
    (*first, *second) = (two(0).to_le_bytes(), two(32).to_le_bytes());
}

/// The four pixels, with an alpha of 255.
#[inline(always)]
pub(crate) fn give(first: &[u8; 8], second: &[u8; 8], four: &mut [u8; 16]) {
    const OPAQUE: u64 = 0xFF00_0000_FF00_0000;
    let [first, second] = [first, second].map(|eight| u64::from_le_bytes(*eight));
    let two = |shift: u32| first >> shift & 0xFF_FFFF | (second >> shift & 0xFF_FFFF) << 32 | OPAQUE;
    four.copy_from_slice([two(0), two(24)].map(u64::to_le_bytes).as_flattened());
}

/// The bytes at two places of a text of rows, side by side.
///
/// # Safety
///
/// At both there must be a block of bytes.
pub(crate) unsafe fn rows(bytes: &[u8], upper: usize, lower: usize) -> [Lanes; 4] {
    let [upper, lower] = [upper, lower].map(|at| &bytes[at..at + BLOCK]);
    std::array::from_fn(|lanes| {
        std::array::from_fn(|lane| {
            let at = 4 * lanes + lane;
            of_pair([upper[at].into(), lower[at].into()])
        })
    })
}

/// Writes the numbers of four pixels, channel by channel of two of them in turn.
pub(crate) fn store_pixels(out: &mut [i16; BLOCK], sums: [Lanes; 2]) {
    for (out, sums) in out.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
        let numbers = sums.map(pair_of);
        *out = std::array::from_fn(|at| numbers.as_flattened()[at / 2 + at % 2 * 4]);
    }
}

pub(crate) fn eight(numbers: &[i16; 8]) -> Lanes {
    std::array::from_fn(|lane| of_pair([numbers[2 * lane], numbers[2 * lane + 1]]))
}

/// The nearest bytes of four sums.
pub(crate) fn pixel(sums: Lanes, shift: u32) -> [u8; 4] {
    sums.map(|sum| (sum >> shift).clamp(0, 255) as u8)
}
