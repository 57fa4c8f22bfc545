//! Comparison of secrets.

use subtle::ConstantTimeEq;

/// Whether `left` and `right` are the same bytes, in a time that depends on their lengths alone.
///
/// Of different lengths, the answer is `false` at once: a length is not secret.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_equality(left in any::<Vec<u8>>(), right in any::<Vec<u8>>(), at in any::<usize>()) {
            prop_assert_eq!(constant_time_eq(&left, &right), left == right);
            prop_assert!(constant_time_eq(&left, &left));
            let mut other = left.clone();
            if let Some(byte) = at.checked_rem(left.len()).map(|at| &mut other[at]) {
                *byte ^= 1;
                prop_assert!(!constant_time_eq(&left, &other));
            }
        }
    }
}
