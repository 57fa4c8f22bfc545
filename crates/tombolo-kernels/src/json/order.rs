//! From keys to a permutation.

use std::cmp::Ordering;

use super::scan::{Kind, Rows};
use super::{Direction, string};
use crate::memory::reserve;
use crate::{KernelError, Work};

/// Rows in the order of their keys.
pub(super) fn permutation(
    bytes: &[u8],
    rows: &Rows,
    direction: Direction,
    _work: &Work<'_>,
) -> Result<Vec<u32>, KernelError> {
    let mut permutation = Vec::new();
    reserve(&mut permutation, rows.starts.len())?;
    permutation.extend(0..rows.starts.len() as u32);
    let text = |at: usize| {
        let value = rows.values[at];
        let text = &bytes[value as u32 as usize..(value >> 32) as usize];
        let mut plain = Vec::new();
        string::unescape(text, &mut plain);
        plain
    };
    let rank = |kind| if kind == Kind::Escaped { Kind::Text } else { kind };
    permutation.sort_by(|left, right| {
        let (left, right) = (*left as usize, *right as usize);
        let (kind, other) = (rank(rows.kinds[left]), rank(rows.kinds[right]));
        let order = kind.cmp(&other).then_with(|| match kind {
            Kind::Number => rows.values[left].cmp(&rows.values[right]),
            Kind::Text => text(left).cmp(&text(right)),
            _ => Ordering::Equal,
        });
        if direction == Direction::Descending { order.reverse() } else { order }
    });
    Ok(permutation)
}
