//! From keys to a permutation.

use super::Direction;
use super::lex::Step;
use super::radix::{self, Entry};
use super::scan::{Kind, Rows};
use super::text::Texts;
use crate::Work;
use crate::memory::reserve;

/// Rows in the order of their keys.
///
/// Descending is ascending of the rows from the last to the first, read backwards: so rows that are alike
/// come out as they were.
pub(super) fn permutation(
    bytes: &[u8],
    rows: &Rows,
    direction: Direction,
    work: &Work<'_>,
) -> Step<Vec<u32>> {
    let is_down = direction == Direction::Descending;
    let tie = if is_down { u32::MAX } else { 0 };
    let mut counts = [0; Kind::Nested as usize + 1];
    rows.kinds.iter().for_each(|kind| counts[*kind as usize] += 1);
    let mut permutation = Vec::new();
    reserve(&mut permutation, rows.kinds.len())?;
    for class in [
        &[Kind::Missing][..],
        &[Kind::Number],
        &[Kind::Text, Kind::Escaped],
        &[Kind::False],
        &[Kind::True],
        &[Kind::Nested],
    ] {
        let count = class.iter().map(|kind| counts[*kind as usize]).sum();
        if count == 0 {
            continue;
        }
        let mut entries = entries(rows, class, count, is_down)?;
        match class[0] {
            Kind::Number => radix::share(&mut entries, work, |entries, scratch| {
                radix::sort(entries, scratch, tie);
                Ok(())
            })?,
            Kind::Text => {
                let texts = Texts::new(bytes, rows)?;
                let depth = texts.common(&entries, 0);
                texts.set_keys(&mut entries, depth);
                radix::share(&mut entries, work, |entries, scratch| {
                    texts.sort(entries, scratch, tie, depth)
                })?;
            }
            _ => {}
        }
        permutation.extend(entries.iter().map(|entry| entry.row));
    }
    if is_down {
        permutation.reverse();
    }
    Ok(permutation)
}

/// The rows whose keys are of a class: so many.
fn entries(rows: &Rows, class: &[Kind], count: usize, is_down: bool) -> Step<Vec<Entry>> {
    let mut entries = Vec::new();
    reserve(&mut entries, count)?;
    let all = (0..).zip(&rows.values).map(|(row, value)| Entry { key: *value, row });
    if count == rows.values.len() {
        entries.extend(all);
    } else {
        let ours = all.zip(&rows.kinds).filter(|(_, kind)| class.contains(kind));
        entries.extend(ours.map(|(entry, _)| entry));
    }
    if is_down {
        entries.reverse();
    }
    Ok(entries)
}
