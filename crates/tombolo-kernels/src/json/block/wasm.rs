//! Blocks in WebAssembly's 128-bit registers.

use std::arch::wasm32::{
    i8x16_bitmask, i8x16_eq, i8x16_lt, i8x16_splat, u8x16_gt, u8x16_splat, u8x16_sub, v128, v128_load,
    v128_or,
};

#[derive(Clone, Copy)]
pub(in crate::json) struct Block(v128);

impl Block {
    #[inline(always)]
    #[expect(unsafe_code, reason = "there is no safe load of a vector")]
    pub(in crate::json) fn load(bytes: &[u8; 16]) -> Self {
        // SAFETY: there are sixteen bytes, and this load asks for no alignment.
        Self(unsafe { v128_load(bytes.as_ptr().cast()) })
    }

    /// Bits of quotes, backslashes, control characters and bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn text_ends(self) -> u32 {
        let quotes = i8x16_eq(self.0, i8x16_splat(b'"' as i8));
        let backslashes = i8x16_eq(self.0, i8x16_splat(b'\\' as i8));
        // Signed, so bytes above ASCII are lower too.
        let control = i8x16_lt(self.0, i8x16_splat(0x20));
        u32::from(i8x16_bitmask(v128_or(v128_or(quotes, backslashes), control)))
    }

    /// Bits of the bytes that are the same in `other`.
    #[inline(always)]
    pub(in crate::json) fn same_as(self, other: Self) -> u32 {
        u32::from(i8x16_bitmask(i8x16_eq(self.0, other.0)))
    }

    /// Bits of bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn not_ascii(self) -> u32 {
        u32::from(i8x16_bitmask(self.0))
    }

    /// Bits of all but digits.
    #[inline(always)]
    pub(in crate::json) fn not_digits(self) -> u32 {
        u32::from(i8x16_bitmask(u8x16_gt(u8x16_sub(self.0, u8x16_splat(b'0')), u8x16_splat(9))))
    }
}
