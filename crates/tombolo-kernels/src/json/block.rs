//! Sixteen bytes of a text at once.

#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), path = "block/wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "block/x86.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))),
    path = "block/portable.rs"
)]
mod vector;

// Also tested where there are vectors: a browser's baseline has none.
#[cfg(test)]
#[path = "block/portable.rs"]
mod portable;

pub(super) use vector::Block;

/// Bytes of a block.
pub(super) const BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks() -> impl Strategy<Value = [u8; BYTES]> {
        let text = "[\"\\\\0-9/: !\u{1f}aé]{16}".prop_map(|text| *text.as_bytes().first_chunk().unwrap());
        prop_oneof![any::<[u8; BYTES]>(), text]
    }

    proptest! {
        #[test]
        fn masks_say_which_bytes_are_which(bytes in blocks()) {
            let mask = |is: fn(u8) -> bool| (0..BYTES).fold(0, |mask, at| mask | u32::from(is(bytes[at])) << at);
            let text_ends = mask(|byte| matches!(byte, b'"' | b'\\' | ..0x20 | 0x80..));
            let not_ascii = mask(|byte| byte >= 0x80);
            let not_digits = mask(|byte| !byte.is_ascii_digit());
            let (other, quotes) = ([b'"'; BYTES], mask(|byte| byte == b'"'));
            let expected = [text_ends, not_ascii, not_digits, quotes];
            let block = Block::load(&bytes);
            let same = block.same_as(Block::load(&other));
            prop_assert_eq!([block.text_ends(), block.not_ascii(), block.not_digits(), same], expected);
            let block = portable::Block::load(&bytes);
            let same = block.same_as(portable::Block::load(&other));
            prop_assert_eq!([block.text_ends(), block.not_ascii(), block.not_digits(), same], expected);
        }
    }
}
