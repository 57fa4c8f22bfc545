//! Sixteen bytes of a text at once.

#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), path = "block/wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "block/x86.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))),
    path = "block/portable.rs"
)]
mod vector;

pub(super) use vector::Block;

/// Bytes of a block.
pub(super) const BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn masks_say_which_bytes_are_which(
            bytes in prop_oneof![any::<[u8; BYTES]>(), "[\"\\\\0-9/: !\u{1f}a]{16}".prop_map(|text| text.into_bytes().try_into().unwrap())],
        ) {
            let mask = |is: &dyn Fn(u8) -> bool| (0..BYTES).fold(0, |mask, at| mask | u32::from(is(bytes[at])) << at);
            let block = Block::load(&bytes);
            let ends = mask(&|byte| matches!(byte, b'"' | b'\\' | ..0x20));
            // What is above ASCII may be among what ends a run, or not.
            prop_assert_eq!(block.text_ends() & !block.not_ascii(), ends);
            prop_assert_eq!(block.not_ascii(), mask(&|byte| byte >= 0x80));
            prop_assert_eq!(block.not_digits(), mask(&|byte| !byte.is_ascii_digit()));
        }
    }
}
