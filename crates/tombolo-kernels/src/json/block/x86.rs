//! Blocks in the 128-bit registers that every x86-64 has.
#![expect(unsafe_code, reason = "the intrinsics are unsafe to call where a processor may lack them")]

use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    _mm_setzero_si128, _mm_sub_epi8, _mm_subs_epu8,
};

#[derive(Clone, Copy)]
pub(in crate::json) struct Block(__m128i);

impl Block {
    #[inline(always)]
    pub(in crate::json) fn load(bytes: &[u8; 16]) -> Self {
        // SAFETY: there are sixteen bytes, and this load asks for no alignment.
        Self(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
    }

    /// Bits of quotes, backslashes, control characters and bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn text_ends(self) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        unsafe {
            let quotes = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'"' as i8));
            let backslashes = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\\' as i8));
            // Signed, so bytes above ASCII are lower too.
            let control = _mm_cmplt_epi8(self.0, _mm_set1_epi8(0x20));
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), control)) as u32
        }
    }

    /// Bits of the bytes that are the same in `other`.
    #[inline(always)]
    pub(in crate::json) fn same_as(self, other: Self) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, other.0)) as u32 }
    }

    /// Bits of bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn not_ascii(self) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        unsafe { _mm_movemask_epi8(self.0) as u32 }
    }

    /// Bits of all but digits.
    #[inline(always)]
    pub(in crate::json) fn not_digits(self) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        unsafe {
            let over = _mm_subs_epu8(_mm_sub_epi8(self.0, _mm_set1_epi8(b'0' as i8)), _mm_set1_epi8(9));
            !_mm_movemask_epi8(_mm_cmpeq_epi8(over, _mm_setzero_si128())) as u32 & 0xFFFF
        }
    }
}
