//! The 128-bit registers that every x86-64 has.
#![expect(unsafe_code, reason = "a check for each vector takes longer than what is done with it")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_madd_epi16,
    _mm_packs_epi32, _mm_packus_epi16, _mm_set1_epi32, _mm_setzero_si128, _mm_sra_epi32, _mm_storeu_si128,
    _mm_unpackhi_epi8, _mm_unpackhi_epi16, _mm_unpackhi_epi64, _mm_unpacklo_epi8, _mm_unpacklo_epi16,
};

use super::BLOCK;

pub(crate) type Lanes = __m128i;

#[inline(always)]
pub(crate) fn splat(value: i32) -> Lanes {
    // SAFETY: every x86-64 has SSE2; so below.
    unsafe { _mm_set1_epi32(value) }
}

#[inline(always)]
pub(crate) fn splat_pair(pair: [i16; 2]) -> Lanes {
    splat(i32::from(pair[0]) & 0xFFFF | i32::from(pair[1]) << 16)
}

/// Adds the products of each pair.
#[inline(always)]
pub(crate) fn add_products(sums: Lanes, pairs: Lanes, weights: Lanes) -> Lanes {
    // SAFETY: as above.
    unsafe { _mm_add_epi32(sums, _mm_madd_epi16(pairs, weights)) }
}

#[inline(always)]
pub(crate) fn narrow(low: Lanes, high: Lanes, shift: u32) -> Lanes {
    // SAFETY: as above.
    unsafe {
        let shift = _mm_cvtsi32_si128(shift as i32);
        _mm_packs_epi32(_mm_sra_epi32(low, shift), _mm_sra_epi32(high, shift))
    }
}

/// The pairs of bytes of a block, from byte `at` on.
///
/// # Safety
///
/// There must be so many: two blocks of bytes.
#[inline(always)]
pub(crate) unsafe fn wide_pairs(bytes: &[u8], at: usize) -> [Lanes; 4] {
    debug_assert!(at + 2 * BLOCK <= bytes.len());
    // SAFETY: as above, and as the caller promised. No alignment is asked for.
    unsafe {
        let zero = _mm_setzero_si128();
        let [a, b] = [0, 16].map(|more| _mm_loadu_si128(bytes.as_ptr().add(at + more).cast()));
        [
            _mm_unpacklo_epi8(a, zero),
            _mm_unpackhi_epi8(a, zero),
            _mm_unpacklo_epi8(b, zero),
            _mm_unpackhi_epi8(b, zero),
        ]
    }
}

/// The pairs of a block, from number `at` on.
///
/// # Safety
///
/// There must be so many: two blocks of numbers.
#[inline(always)]
pub(crate) unsafe fn pairs(numbers: &[i16], at: usize) -> [Lanes; 4] {
    debug_assert!(at + 2 * BLOCK <= numbers.len());
    // SAFETY: as above.
    [0, 8, 16, 24].map(|more| unsafe { _mm_loadu_si128(numbers.as_ptr().add(at + more).cast()) })
}

/// Writes the numbers of two blocks in turn.
#[inline(always)]
pub(crate) fn store_pairs(out: &mut [i16; 2 * BLOCK], even: [Lanes; 2], odd: [Lanes; 2]) {
    for (half, (even, odd)) in even.into_iter().zip(odd).enumerate() {
        let out = &mut out[16 * half..][..16];
        // SAFETY: as above; and there is room for sixteen numbers.
        unsafe {
            _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_unpacklo_epi16(even, odd));
            _mm_storeu_si128(out.as_mut_ptr().add(8).cast(), _mm_unpackhi_epi16(even, odd));
        }
    }
}

#[inline(always)]
pub(crate) fn store_bytes(out: &mut [u8; BLOCK], sums: [Lanes; 2]) {
    // SAFETY: as above; and there is room for sixteen bytes.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_packus_epi16(sums[0], sums[1])) }
}

/// Writes the bytes of two blocks in turn.
#[inline(always)]
pub(crate) fn side_by_side(upper: &[u8; BLOCK], lower: &[u8; BLOCK], out: &mut [u8; 2 * BLOCK]) {
    // SAFETY: as above; and these are sixteen bytes each, and there is room for as many twice.
    unsafe {
        let (upper, lower) = (_mm_loadu_si128(upper.as_ptr().cast()), _mm_loadu_si128(lower.as_ptr().cast()));
        _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_unpacklo_epi8(upper, lower));
        _mm_storeu_si128(out.as_mut_ptr().add(16).cast(), _mm_unpackhi_epi8(upper, lower));
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
#[inline(always)]
pub(crate) unsafe fn rows(bytes: &[u8], upper: usize, lower: usize) -> [Lanes; 4] {
    debug_assert!(upper.max(lower) + BLOCK <= bytes.len());
    // SAFETY: as above, and as the caller promised.
    unsafe {
        let zero = _mm_setzero_si128();
        let [upper, lower] = [upper, lower].map(|at| _mm_loadu_si128(bytes.as_ptr().add(at).cast()));
        let (low, high) = (_mm_unpacklo_epi8(upper, lower), _mm_unpackhi_epi8(upper, lower));
        [
            _mm_unpacklo_epi8(low, zero),
            _mm_unpackhi_epi8(low, zero),
            _mm_unpacklo_epi8(high, zero),
            _mm_unpackhi_epi8(high, zero),
        ]
    }
}

/// Writes the numbers of four pixels, channel by channel of two of them in turn.
#[inline(always)]
pub(crate) fn store_pixels(out: &mut [i16; BLOCK], sums: [Lanes; 2]) {
    for (half, sums) in sums.into_iter().enumerate() {
        let out = &mut out[8 * half..][..8];
        // SAFETY: as above; and there is room for eight numbers.
        unsafe {
            let second = _mm_unpackhi_epi64(sums, sums);
            _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_unpacklo_epi16(sums, second));
        }
    }
}

#[inline(always)]
pub(crate) fn eight(numbers: &[i16; 8]) -> Lanes {
    // SAFETY: as above; and there are eight numbers.
    unsafe { _mm_loadu_si128(numbers.as_ptr().cast()) }
}

/// The nearest bytes of four sums.
#[inline(always)]
pub(crate) fn pixel(sums: Lanes, shift: u32) -> [u8; 4] {
    let narrow = narrow(sums, sums, shift);
    // SAFETY: as above.
    unsafe { _mm_cvtsi128_si32(_mm_packus_epi16(narrow, narrow)).to_le_bytes() }
}
