//! Memory whose size the input decides, and which therefore may not be there.

use crate::KernelError;

/// Makes room for `more` further values.
pub(crate) fn reserve<T>(values: &mut Vec<T>, more: usize) -> Result<(), KernelError> {
    let bytes = more.saturating_mul(size_of::<T>());
    values.try_reserve_exact(more).map_err(|_| KernelError::OutOfMemory { bytes })
}

/// `count` times `value`.
pub(crate) fn filled<T: Copy>(value: T, count: usize) -> Result<Vec<T>, KernelError> {
    let mut values = Vec::new();
    reserve(&mut values, count)?;
    values.resize(count, value);
    Ok(values)
}

/// Lets `values` be at least `count` long, and keeps what it has.
pub(crate) fn at_least<T: Copy>(values: &mut Vec<T>, value: T, count: usize) -> Result<(), KernelError> {
    if values.len() < count {
        reserve(values, count - values.len())?;
        values.resize(count, value);
    }
    Ok(())
}

/// Where `count` things begin that are `length` long, one after another.
pub(crate) fn starts(count: usize, length: usize) -> Result<Vec<usize>, KernelError> {
    let mut starts = filled(0, count)?;
    (0..).zip(&mut starts).for_each(|(at, start)| *start = at * length);
    Ok(starts)
}
