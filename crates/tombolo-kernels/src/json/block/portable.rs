//! Blocks in two numbers of 64 bits, a byte of which is a lane.

/// A one in each lane.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of each lane.
const HIGH: u64 = ONES << 7;

#[derive(Clone, Copy)]
pub(in crate::json) struct Block([u64; 2]);

impl Block {
    #[inline(always)]
    pub(in crate::json) fn load(bytes: &[u8; 16]) -> Self {
        let both = u128::from_le_bytes(*bytes);
        Self([both as u64, (both >> 64) as u64])
    }

    /// Bits of quotes, backslashes, control characters and bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn text_ends(self) -> u32 {
        bits(self.0.map(|half| {
            let equal = |byte: u8| less(half ^ (ONES * u64::from(byte)), 1);
            equal(b'"') | equal(b'\\') | less(half, 0x20) | half
        }))
    }

    /// Bits of the bytes that are the same in `other`.
    #[inline(always)]
    pub(in crate::json) fn same_as(self, other: Self) -> u32 {
        bits([0, 1].map(|half| less(self.0[half] ^ other.0[half], 1)))
    }

    /// Bits of bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn not_ascii(self) -> u32 {
        bits(self.0)
    }

    /// Bits of all but digits.
    #[inline(always)]
    pub(in crate::json) fn not_digits(self) -> u32 {
        bits(self.0.map(|half| half | less(half, b'0') | !less(half, b'9' + 1)))
    }
}

/// The highest bit of each lane that is below `limit`, at most 0x80; not of those above ASCII.
#[inline(always)]
fn less(lanes: u64, limit: u8) -> u64 {
    // No lane borrows from the next: each is at least 0x80 before the subtraction.
    !((lanes | HIGH) - ONES * u64::from(limit)) & !lanes & HIGH
}

/// The highest bit of each lane, one after another.
#[inline(always)]
fn bits(halves: [u64; 2]) -> u32 {
    // Each half's eight bits are gathered into the highest byte of a product.
    let [low, high] = halves.map(|half| (half >> 7 & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56);
    (low | high << 8) as u32
}
