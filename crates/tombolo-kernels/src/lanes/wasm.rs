//! WebAssembly's 128-bit registers.
#![expect(unsafe_code, reason = "a check for each vector takes longer than what is done with it")]

use std::arch::wasm32::{
    i8x16_shuffle, i16x8_extend_high_u8x16, i16x8_extend_low_u8x16, i16x8_load_extend_u8x8,
    i16x8_narrow_i32x4, i16x8_shuffle, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_shr,
    i32x4_splat, u8x16_narrow_i16x8, v128, v128_load, v128_load64_lane, v128_load64_zero, v128_or,
    v128_store, v128_store64_lane,
};

use super::BLOCK;

pub(crate) type Lanes = v128;

pub(crate) fn splat(value: i32) -> Lanes {
    i32x4_splat(value)
}

#[inline(always)]
pub(crate) fn splat_pair(pair: [i16; 2]) -> Lanes {
    i32x4_splat(i32::from(pair[0]) & 0xFFFF | i32::from(pair[1]) << 16)
}

/// Adds the products of each pair.
#[inline(always)]
pub(crate) fn add_products(sums: Lanes, pairs: Lanes, weights: Lanes) -> Lanes {
    i32x4_add(sums, i32x4_dot_i16x8(pairs, weights))
}

#[inline(always)]
pub(crate) fn narrow(low: Lanes, high: Lanes, shift: u32) -> Lanes {
    i16x8_narrow_i32x4(i32x4_shr(low, shift), i32x4_shr(high, shift))
}

/// The pairs of bytes of a block, from byte `at` on.
///
/// # Safety
///
/// There must be so many: two blocks of bytes.
#[inline(always)]
pub(crate) unsafe fn wide_pairs(bytes: &[u8], at: usize) -> [Lanes; 4] {
    debug_assert!(at + 2 * BLOCK <= bytes.len());
    // SAFETY: as the caller promised. No alignment is asked for.
    [0, 8, 16, 24].map(|more| unsafe { i16x8_load_extend_u8x8(bytes.as_ptr().add(at + more)) })
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
    [0, 8, 16, 24].map(|more| unsafe { v128_load(numbers.as_ptr().add(at + more).cast()) })
}

/// Writes the numbers of two blocks in turn.
#[inline(always)]
pub(crate) fn store_pairs(out: &mut [i16; 2 * BLOCK], even: [Lanes; 2], odd: [Lanes; 2]) {
    for (half, (even, odd)) in even.into_iter().zip(odd).enumerate() {
        let low = i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(even, odd);
        let high = i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(even, odd);
        let out = &mut out[16 * half..][..16];
        // SAFETY: there is room for sixteen numbers.
        unsafe {
            v128_store(out.as_mut_ptr().cast(), low);
            v128_store(out.as_mut_ptr().add(8).cast(), high);
        }
    }
}

#[inline(always)]
pub(crate) fn store_bytes(out: &mut [u8; BLOCK], sums: [Lanes; 2]) {
    // SAFETY: there is room for sixteen bytes.
    unsafe { v128_store(out.as_mut_ptr().cast(), u8x16_narrow_i16x8(sums[0], sums[1])) }
}

/// Writes the bytes of two blocks in turn.
#[inline(always)]
pub(crate) fn side_by_side(upper: &[u8; BLOCK], lower: &[u8; BLOCK], out: &mut [u8; 2 * BLOCK]) {
    // SAFETY: these are sixteen bytes each, and there is room for as many twice.
    unsafe {
        let (upper, lower) = (v128_load(upper.as_ptr().cast()), v128_load(lower.as_ptr().cast()));
        let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(upper, lower);
        let high =
            i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(upper, lower);
        v128_store(out.as_mut_ptr().cast(), low);
        v128_store(out.as_mut_ptr().add(16).cast(), high);
    }
}

/// Of four pixels, the first and third, and the second and fourth, without their alpha.
#[inline(always)]
pub(crate) fn take(four: &[u8; 16], first: &mut [u8; 8], second: &mut [u8; 8]) {
    // SAFETY: there are sixteen bytes, and there is room for eight twice.
    unsafe {
        let four = v128_load(four.as_ptr().cast());
        let planes = i8x16_shuffle::<0, 1, 2, 8, 9, 10, 3, 3, 4, 5, 6, 12, 13, 14, 3, 3>(four, four);
        v128_store64_lane::<0>(planes, first.as_mut_ptr().cast());
        v128_store64_lane::<1>(planes, second.as_mut_ptr().cast());
    }
}

/// The four pixels, with an alpha of 255.
#[inline(always)]
pub(crate) fn give(first: &[u8; 8], second: &[u8; 8], four: &mut [u8; 16]) {
    let opaque = i32x4_splat(0xFF00_0000_u32 as i32);
    // SAFETY: these are eight bytes each, and there is room for sixteen.
    unsafe {
        let planes = v128_load64_zero(first.as_ptr().cast());
        let planes = v128_load64_lane::<1>(planes, second.as_ptr().cast());
        let pixels = i8x16_shuffle::<0, 1, 2, 0, 8, 9, 10, 0, 3, 4, 5, 0, 11, 12, 13, 0>(planes, planes);
        v128_store(four.as_mut_ptr().cast(), v128_or(pixels, opaque));
    }
}

/// The bytes at two places of a text of rows, side by side.
///
/// # Safety
///
/// At both there must be a block of bytes.
#[inline(always)]
pub(crate) unsafe fn rows(bytes: &[u8], upper: usize, lower: usize) -> [Lanes; 4] {
    debug_assert!(upper.max(lower) + BLOCK <= bytes.len());
    // SAFETY: as the caller promised.
    let [upper, lower] = [upper, lower].map(|at| unsafe { v128_load(bytes.as_ptr().add(at).cast()) });
    let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(upper, lower);
    let high = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(upper, lower);
    [
        i16x8_extend_low_u8x16(low),
        i16x8_extend_high_u8x16(low),
        i16x8_extend_low_u8x16(high),
        i16x8_extend_high_u8x16(high),
    ]
}

/// Writes the numbers of four pixels, channel by channel of two of them in turn.
#[inline(always)]
pub(crate) fn store_pixels(out: &mut [i16; BLOCK], sums: [Lanes; 2]) {
    for (half, sums) in sums.into_iter().enumerate() {
        let out = &mut out[8 * half..][..8];
        // SAFETY: there is room for eight numbers.
        unsafe { v128_store(out.as_mut_ptr().cast(), i16x8_shuffle::<0, 4, 1, 5, 2, 6, 3, 7>(sums, sums)) };
    }
}

#[inline(always)]
pub(crate) fn eight(numbers: &[i16; 8]) -> Lanes {
    // SAFETY: there are eight numbers.
    unsafe { v128_load(numbers.as_ptr().cast()) }
}

/// The nearest bytes of four sums.
#[inline(always)]
pub(crate) fn pixel(sums: Lanes, shift: u32) -> [u8; 4] {
    let narrow = narrow(sums, sums, shift);
    i32x4_extract_lane::<0>(u8x16_narrow_i16x8(narrow, narrow)).to_le_bytes()
}
