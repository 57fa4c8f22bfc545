//! The text of rows in order.

use super::Sorted;
use super::lex::Step;
use crate::Work;
use crate::memory::reserve;

/// Rows between two looks at the watch: about a millisecond.
const TICK_ROWS: usize = 1 << 14;
/// Parts of a thread: so that none waits long for the last.
const PARTS_EACH: usize = 8;

/// Writes the rows of `source` in order to `target`, which is exactly as long as they are.
pub(super) fn rows(sorted: &Sorted, source: &[u8], target: &mut [u8], work: &Work<'_>) -> Step<()> {
    let order = sorted.permutation.as_slice();
    let [first, inner @ .., last] = target else { return Ok(()) };
    (*first, *last) = (b'[', b']');
    let count = if work.crew.size() == 1 { 1 } else { work.crew.size() * PARTS_EACH };
    let part_rows = order.len().div_ceil(count).max(TICK_ROWS);
    let mut parts = Vec::new();
    reserve(&mut parts, order.len().div_ceil(part_rows))?;
    let mut rest = inner;
    for (at, rows) in order.chunks(part_rows).enumerate() {
        // The last row has no comma behind it, and all that is left.
        let is_last = (at + 1) * part_rows >= order.len();
        let bytes =
            if is_last { rest.len() } else { rows.iter().map(|row| sorted.span(*row).len() + 1).sum() };
        let (part, after) = rest.split_at_mut(bytes);
        parts.push((rows, part));
        rest = after;
    }
    let total = order.len().div_ceil(TICK_ROWS) as u32;
    work.share(total, parts.into_iter(), |turn, (rows, target)| {
        let mut at = 0;
        for rows in rows.chunks(TICK_ROWS) {
            for row in rows {
                let span = sorted.span(*row);
                let end = at + span.len();
                copy(source, span.start, target, at, end);
                if let Some(comma) = target.get_mut(end) {
                    *comma = b',';
                }
                at = end + 1;
            }
            turn.done(1)?;
        }
        Ok(())
    })
}

/// Copies what begins at `from` in `source` to `at` and up to `end` in `target`; perhaps a little more,
/// over which the next row is written.
#[inline(always)]
fn copy(source: &[u8], from: usize, target: &mut [u8], at: usize, end: usize) {
    const BLOCK: usize = 16;
    let length = (end - at).next_multiple_of(BLOCK);
    match (source.get(from..from + length), target.get_mut(at..at + length)) {
        // By blocks: a call to copy so few bytes would take longer than this.
        (Some(source), Some(target)) => {
            for (to, from) in target.as_chunks_mut::<BLOCK>().0.iter_mut().zip(source.as_chunks::<BLOCK>().0)
            {
                *to = *from;
            }
        }
        _ => target[at..end].copy_from_slice(&source[from..from + end - at]),
    }
}
