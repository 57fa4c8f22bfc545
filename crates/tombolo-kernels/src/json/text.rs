//! Sorts strings: by eight bytes at a time, after those that all have in common.

use std::cmp::Ordering;

use super::lex::Step;
use super::radix::{self, Entry};
use super::scan::{Kind, Rows};
use super::string;
use crate::memory::reserve;

/// Fewer strings are compared whole.
const COUNT_MIN: usize = 64;

/// The strings that are keys.
pub(super) struct Texts<'j> {
    bytes: &'j [u8],
    rows: &'j Rows,
    /// Texts of strings with escapes, one after another.
    plain: Vec<u8>,
    /// Row, and the span of its text in `plain`; ascending by row.
    spans: Vec<(u32, u32, u32)>,
}

impl<'j> Texts<'j> {
    pub(super) fn new(bytes: &'j [u8], rows: &'j Rows) -> Step<Self> {
        let escaped = || {
            rows.kinds.iter().zip(&rows.values).enumerate().filter(|(_, (kind, _))| **kind == Kind::Escaped)
        };
        let (mut plain, mut spans) = (Vec::new(), Vec::new());
        reserve(&mut plain, escaped().map(|(_, (_, value))| ends(*value).1 - ends(*value).0).sum())?;
        reserve(&mut spans, escaped().count())?;
        for (row, (_, value)) in escaped() {
            let (start, end) = ends(*value);
            let from = plain.len() as u32;
            string::unescape(&bytes[start..end], &mut plain); // Never longer than it was: see `reserve`.
            spans.push((row as u32, from, plain.len() as u32));
        }
        Ok(Self { bytes, rows, plain, spans })
    }

    fn of(&self, row: u32) -> &[u8] {
        if self.rows.kinds[row as usize] == Kind::Text {
            let (start, end) = ends(self.rows.values[row as usize]);
            return &self.bytes[start..end];
        }
        let at = self.spans.partition_point(|(other, ..)| *other < row);
        let (_, start, end) = self.spans[at];
        &self.plain[start as usize..end as usize]
    }

    /// Bytes that the strings of `entries` have in common from `depth` on.
    pub(super) fn common(&self, entries: &[Entry], depth: usize) -> usize {
        let Some((first, others)) = entries.split_first() else { return 0 };
        let mut common = &self.of(first.row)[depth..];
        for entry in others {
            let text = &self.of(entry.row)[depth..];
            if !text.starts_with(common) {
                let same = text.iter().zip(common).take_while(|(left, right)| left == right).count();
                common = &common[..same];
            }
        }
        common.len()
    }

    /// Makes the key of each entry the eight bytes of its string from `depth` on.
    pub(super) fn set_keys(&self, entries: &mut [Entry], depth: usize) {
        for entry in entries {
            entry.key = word(self.of(entry.row), depth);
        }
    }

    /// Sorts entries whose keys are the bytes from `depth` on, before which their strings are alike.
    pub(super) fn sort(
        &self,
        entries: &mut [Entry],
        scratch: &mut [Entry],
        tie: u32,
        depth: usize,
    ) -> Step<()> {
        // Long runs of strings that are alike so far: what is yet to be sorted, and from which byte on.
        let mut runs = Vec::new();
        self.sort_level(entries, 0, scratch, tie, depth, &mut runs)?;
        while let Some((start, end, depth)) = runs.pop() {
            let run = &mut entries[start..end];
            let depth = depth + self.common(run, depth);
            self.set_keys(run, depth);
            self.sort_level(run, start, scratch, tie, depth, &mut runs)?;
        }
        Ok(())
    }

    /// Sorts by key; then short runs of one key whole, and notes long ones in `runs`.
    fn sort_level(
        &self,
        entries: &mut [Entry],
        offset: usize,
        scratch: &mut [Entry],
        tie: u32,
        depth: usize,
        runs: &mut Vec<(usize, usize, usize)>,
    ) -> Step<()> {
        radix::sort(entries, scratch, tie);
        let depth = depth + 8;
        let mut start = 0;
        while start < entries.len() {
            let key = entries[start].key;
            let count = entries[start..].iter().take_while(|entry| entry.key == key).count();
            let run = &mut entries[start..start + count];
            if count > 1 && !self.is_sorted(run, depth) {
                let ended = self.ended_first(run, depth, tie);
                if count - ended < COUNT_MIN {
                    radix::compare(&mut run[ended..], &|left, right| self.compare(left, right, depth, tie));
                } else {
                    reserve(runs, 1)?;
                    runs.push((offset + start + ended, offset + start + count, depth));
                }
            }
            start += count;
        }
        Ok(())
    }

    /// Whether strings that are alike to `depth` end there or before, all at the same length.
    fn is_sorted(&self, run: &[Entry], depth: usize) -> bool {
        let first = self.of(run[0].row).len();
        first <= depth && run.iter().all(|entry| self.of(entry.row).len() == first)
    }

    /// Puts first the strings of a run that end at `depth` or before, by length: they may differ in how
    /// many zero bytes they end with. Answers how many they are.
    fn ended_first(&self, run: &mut [Entry], depth: usize, tie: u32) -> usize {
        let length = |entry: &Entry| self.of(entry.row).len();
        if run.iter().all(|entry| length(entry) > depth) {
            return 0;
        }
        let order = |entry: &Entry| (length(entry).min(depth + 1), entry.row ^ tie);
        radix::compare(run, &|left, right| order(left).cmp(&order(right)));
        run.partition_point(|entry| length(entry) <= depth)
    }

    fn compare(&self, left: &Entry, right: &Entry, depth: usize, tie: u32) -> Ordering {
        let order = self.of(left.row)[depth..].cmp(&self.of(right.row)[depth..]);
        order.then_with(|| (left.row ^ tie).cmp(&(right.row ^ tie)))
    }
}

/// Where the text between the quotes begins and ends.
fn ends(value: u64) -> (usize, usize) {
    (value as u32 as usize, (value >> 32) as usize)
}

/// Eight bytes from `depth` on, the first the highest; zeros behind the end.
fn word(text: &[u8], depth: usize) -> u64 {
    let rest = text.get(depth..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(word) => u64::from_be_bytes(*word),
        None => rest.iter().enumerate().fold(0, |word, (at, byte)| word | u64::from(*byte) << (56 - 8 * at)),
    }
}
