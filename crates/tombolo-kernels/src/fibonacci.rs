//! Fibonacci numbers the slow way: what a call costs.

use crate::KernelError;

/// The largest argument whose result fits in 64 bits.
pub const ARGUMENT_MAX: u32 = 93;

/// The `n`-th Fibonacci number by double recursion, some 1.6ⁿ calls: a benchmark of calls.
///
/// # Errors
///
/// [`KernelError::Number`] if `n` is over [`ARGUMENT_MAX`].
pub fn fibonacci(n: u32) -> Result<u64, KernelError> {
    if n > ARGUMENT_MAX {
        return Err(KernelError::Number("n must be at most 93: a larger result has more than 64 bits"));
    }
    Ok(recurse(n))
}

#[inline(never)]
fn recurse(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    recurse(n - 1) + recurse(n - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_addition() {
        let (mut this, mut next) = (0, 1);
        for n in 0..25 {
            assert_eq!(fibonacci(n), Ok(this));
            (this, next) = (next, this + next);
        }
        assert!(matches!(fibonacci(94), Err(KernelError::Number(_))));
    }
}
