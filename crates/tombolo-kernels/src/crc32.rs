//! CRC-32 (IEEE 802.3), as in gzip, zip and PNG.
//!
//! In a browser there is no carry-less multiply. Long inputs are folded instead: the generator has a
//! multiple with five terms whose exponents are multiples of 128 bits, so a block of 16 bytes is worth
//! the same when it is added to four blocks behind it. That is five loads and four exclusive ors a
//! block, of any width, and no table; a table finishes the last few kilobytes.

#[cfg(any(target_family = "wasm", test))]
mod fold;

use std::sync::OnceLock;

/// The generator, reflected.
const GENERATOR: u32 = 0xEDB8_8320;

/// Goes on with a checksum: `state` is that of the bytes before, 0 of none.
///
/// `crc32(crc32(0, a), b)` is that of `a` followed by `b`, as with zlib's `crc32`.
#[must_use]
pub fn crc32(state: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_family = "wasm")]
    return fold::crc32(state, bytes);
    #[cfg(not(target_family = "wasm"))]
    {
        let mut hasher = crc32fast::Hasher::new_with_initial(state);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// Eight bytes at a time by eight tables, from the inner state `!crc` to the inner state.
#[cfg_attr(
    not(any(target_family = "wasm", test)),
    expect(dead_code, reason = "native code folds by multiplication")
)]
fn by_tables(mut state: u32, bytes: &[u8]) -> u32 {
    let tables = tables();
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word) ^ u64::from(state);
        state = (0..8).fold(0, |sum, at| sum ^ tables[7 - at][(word >> (8 * at)) as usize & 0xFF]);
    }
    rest.iter().fold(state, |state, byte| state >> 8 ^ tables[0][(state as u8 ^ byte) as usize])
}

/// Entry `byte` of table `n`: the remainder of that byte followed by `n` zero bytes. Made when first
/// used: 8 KiB of noise would be a sixth of a browser module.
fn tables() -> &'static [[u32; 256]; 8] {
    static TABLES: OnceLock<[[u32; 256]; 8]> = OnceLock::new();
    TABLES.get_or_init(|| {
        let step = |state: u32, _| if state & 1 == 1 { state >> 1 ^ GENERATOR } else { state >> 1 };
        let mut tables = [[0; 256]; 8];
        tables[0] = std::array::from_fn(|byte| (0..8).fold(byte as u32, step));
        for n in 1..8 {
            tables[n] = tables[n - 1].map(|before| before >> 8 ^ tables[0][before as usize & 0xFF]);
        }
        tables
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One bit at a time, as the standard has it.
    fn by_bits(state: u32, bytes: &[u8]) -> u32 {
        let step = |state, _| if state & 1 == 1 { state >> 1 ^ GENERATOR } else { state >> 1 };
        !bytes.iter().fold(!state, |state, byte| (0..8).fold(state ^ u32::from(*byte), step))
    }

    /// Bytes of no pattern.
    fn noise(length: usize, seed: u32) -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        (0..length).scan(seed, |state, _| next(state)).collect()
    }

    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(crc32(0, b"123456789"), 0xCBF4_3926);
        assert_eq!(fold::crc32(0, b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(0, b""), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_bits(length in 0_usize..70_000, cut in any::<usize>(), seed in any::<u32>()) {
            let bytes = noise(length, seed);
            let (left, right) = bytes.split_at(cut % (length + 1));
            let expected = by_bits(0, &bytes);
            prop_assert_eq!(crc32(crc32(0, left), right), expected);
            prop_assert_eq!(fold::crc32(fold::crc32(0, left), right), expected);
        }
    }
}
