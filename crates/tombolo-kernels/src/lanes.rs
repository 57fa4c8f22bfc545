//! Vectors of 128 bits: what of them each machine has to bring.

#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), path = "lanes/wasm.rs")]
#[cfg_attr(target_arch = "x86_64", path = "lanes/x86.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))),
    path = "lanes/portable.rs"
)]
mod machine;

// Also tested where there are vectors.
#[cfg(test)]
#[path = "lanes/portable.rs"]
mod portable;

pub(crate) use machine::{
    Lanes, add_products, eight, give, narrow, pairs, pixel, rows, side_by_side, splat, splat_pair,
    store_bytes, store_pairs, store_pixels, take, wide_pairs,
};

/// Numbers of 16 bits, or bytes, at a time.
pub(crate) const BLOCK: usize = 16;

/// Whether there are vectors: in the baseline of a browser there are none, and plain loops in `f32` are faster
/// than what stands for them.
pub(crate) const ARE_VECTORS: bool =
    cfg!(any(target_arch = "x86_64", all(target_family = "wasm", target_feature = "simd128")));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BLOCK, machine, portable};

    /// What a module's functions make of numbers, one after another.
    macro_rules! through {
        ($lanes:ident, $bytes:expr, $numbers:expr, $pair:expr, $shift:expr) => {{
            let weights = $lanes::splat_pair($pair);
            let add = |pairs| $lanes::add_products($lanes::splat(7), pairs, weights);
            // SAFETY: of forty each there are as many as two blocks from there on.
            let (wide, pairs) = unsafe { ($lanes::wide_pairs($bytes, 3), $lanes::pairs($numbers, 5)) };
            let ([a, b, c, d], [e, f, g, h]) = (wide.map(add), pairs.map(add));
            let bytes = [$lanes::narrow(a, b, $shift), $lanes::narrow(c, d, $shift)];
            let numbers = [$lanes::narrow(e, f, $shift), $lanes::narrow(g, h, $shift)];
            let (mut pairs, mut narrow, mut both) = ([0; 2 * BLOCK], [0; BLOCK], [0; 2 * BLOCK]);
            $lanes::store_pairs(&mut pairs, bytes, numbers);
            $lanes::store_bytes(&mut narrow, numbers);
            $lanes::side_by_side(&narrow, $bytes[1..].first_chunk().unwrap(), &mut both);
            let (mut first, mut second, mut four) = ([0; 8], [0; 8], [0; 16]);
            $lanes::take($bytes.first_chunk().unwrap(), &mut first, &mut second);
            $lanes::give(&first, &second, &mut four);
            let mut pixels = [0; BLOCK];
            $lanes::store_pixels(&mut pixels, numbers);
            // SAFETY: of forty there is a block at each of these.
            let [i, j, k, l] = unsafe { $lanes::rows($bytes, 2, 9) }.map(add);
            let pixel = [i, j, k, l, add($lanes::eight($numbers.first_chunk().unwrap()))];
            let pixel = pixel.map(|sums| $lanes::pixel(sums, $shift));
            // What is behind two pixels may be anything.
            (pairs, narrow, both, first[..6].to_vec(), second[..6].to_vec(), four, pixels, pixel)
        }};
    }

    proptest! {
        #[test]
        #[expect(unsafe_code, reason = "some of it is unsafe to call")]
        fn lanes_agree_with_arrays(
            bytes in any::<[u8; 40]>(), numbers in any::<[i16; 40]>(), pair in any::<[i16; 2]>(), shift in 1_u32..24,
        ) {
            // Two products of the lowest numbers do not fit, and there are none such.
            let (numbers, pair) = (numbers.map(|it| it / 2), pair.map(|it| it / 2));
            let expected = through!(portable, &bytes, &numbers, pair, shift);
            prop_assert_eq!(through!(machine, &bytes, &numbers, pair, shift), expected);
        }
    }
}
