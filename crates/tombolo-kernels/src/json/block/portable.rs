//! Blocks in a number of 128 bits, a byte of which is a lane.

/// A one in each lane.
const ONES: u128 = u128::from_ne_bytes([1; 16]);
/// The highest bit of each lane.
const HIGH: u128 = ONES << 7;

#[derive(Clone, Copy)]
pub(in crate::json) struct Block(u128);

impl Block {
    #[inline(always)]
    pub(in crate::json) fn load(bytes: &[u8; 16]) -> Self {
        Self(u128::from_le_bytes(*bytes))
    }

    /// Bits of quotes, backslashes, control characters and bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn text_ends(self) -> u32 {
        let equal = |byte: u8| less(self.0 ^ ONES * u128::from(byte), 1);
        bits(equal(b'"') | equal(b'\\') | less(self.0, 0x20) | self.0)
    }

    /// Bits of bytes above ASCII.
    #[inline(always)]
    pub(in crate::json) fn not_ascii(self) -> u32 {
        bits(self.0)
    }

    /// Bits of all but digits.
    #[inline(always)]
    pub(in crate::json) fn not_digits(self) -> u32 {
        bits(self.0 | less(self.0, b'0') | !less(self.0, b'9' + 1))
    }
}

/// The highest bit of each lane that is below `limit`, at most 0x80; not of those above ASCII.
#[inline(always)]
fn less(lanes: u128, limit: u8) -> u128 {
    // No lane borrows from the next: each is at least 0x80 before the subtraction.
    !((lanes | HIGH) - ONES * u128::from(limit)) & !lanes & HIGH
}

/// The highest bit of each lane, one after another.
#[inline(always)]
fn bits(lanes: u128) -> u32 {
    // Each half's eight bits are gathered into the highest byte of a product.
    let gather = |half: u64| (half >> 7 & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    (gather(lanes as u64) | gather((lanes >> 64) as u64) << 8) as u32
}
