//! Sorts by 64-bit keys, a digit at a time.

use std::cmp::Ordering;
use std::sync::Mutex;

use super::lex::Step;
use crate::Work;
use crate::memory::reserve;
use crate::work::locked;

/// A row and what it is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) row: u32,
}

/// Bits of a digit: its 2048 counters and write positions stay in the first cache.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;
/// Digits that are sorted by; rows alike in these 33 bits are few, or are sorted again.
const PASSES_MAX: u32 = 3;
/// Fewer entries are compared.
const COUNT_MIN: usize = 512;
/// Fewer are inserted one by one.
const INSERT_MAX: usize = 16;
/// Fewer entries are not worth another thread.
const SHARED_MIN: usize = 1 << 16;

/// Sorts `entries` by key, and those of one key by row, ascending or as `tie` says: by `row ^ tie`. They
/// must stand in that order of rows already.
pub(super) fn sort(entries: &mut [Entry], scratch: &mut [Entry], tie: u32) {
    let len = entries.len();
    if len < COUNT_MIN {
        return compare(entries, &|left, right| {
            (left.key, left.row ^ tie).cmp(&(right.key, right.row ^ tie))
        });
    }
    let Some((min, width)) = range(entries) else { return };
    let passes = width.div_ceil(DIGIT_BITS).min(PASSES_MAX);
    let lowest = width.saturating_sub(passes * DIGIT_BITS);
    let scratch = &mut scratch[..len];
    for pass in 0..passes {
        let shift = lowest + pass * DIGIT_BITS;
        if pass % 2 == 0 {
            scatter(entries, scratch, min, shift)
        } else {
            scatter(scratch, entries, min, shift)
        }
    }
    if passes % 2 == 1 {
        entries.copy_from_slice(scratch);
    }
    if lowest > 0 {
        for_runs(entries, |entry| (entry.key - min) >> lowest, |run| sort(run, scratch, tie));
    }
}

/// Sorts few entries, of which no two are alike, in a heap: the standard library's sort would be a tenth
/// of a browser module. Compiled once, not for each order.
#[inline(never)]
pub(super) fn compare(entries: &mut [Entry], order: &dyn Fn(&Entry, &Entry) -> Ordering) {
    if entries.len() <= INSERT_MAX {
        return insert(entries, order);
    }
    for root in (0..entries.len() / 2).rev() {
        sink(entries, root, order);
    }
    for end in (1..entries.len()).rev() {
        entries.swap(0, end);
        sink(&mut entries[..end], 0, order);
    }
}

/// Takes each entry to its place among those before it.
fn insert(entries: &mut [Entry], order: &dyn Fn(&Entry, &Entry) -> Ordering) {
    for end in 1..entries.len() {
        let mut at = end;
        while at > 0 && order(&entries[at - 1], &entries[at]).is_gt() {
            entries.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Lets the entry at `root` of a heap sink to where it belongs.
#[inline(never)]
fn sink(heap: &mut [Entry], mut root: usize, order: &dyn Fn(&Entry, &Entry) -> Ordering) {
    while let Some(left) = heap.get(2 * root + 1) {
        let is_right = heap.get(2 * root + 2).is_some_and(|right| order(left, right).is_lt());
        let child = 2 * root + 1 + usize::from(is_right);
        if order(&heap[root], &heap[child]).is_ge() {
            return;
        }
        heap.swap(root, child);
        root = child;
    }
}

/// The lowest key, and how many bits the difference to the highest has; nothing if they are the same.
fn range(entries: &[Entry]) -> Option<(u64, u32)> {
    let keys = entries.iter().map(|entry| entry.key);
    let (min, max) = keys.fold((u64::MAX, 0), |(min, max), key| (min.min(key), max.max(key)));
    (min < max).then(|| (min, u64::BITS - (max - min).leading_zeros()))
}

fn digit(entry: &Entry, min: u64, shift: u32) -> usize {
    ((entry.key - min) >> shift) as usize % DIGITS
}

/// Copies `from` to `to` in the order of one digit.
fn scatter(from: &[Entry], to: &mut [Entry], min: u64, shift: u32) {
    let mut places = [0_u32; DIGITS];
    for entry in from {
        places[digit(entry, min, shift)] += 1;
    }
    let mut next = 0;
    for place in &mut places {
        next += std::mem::replace(place, next);
    }
    for entry in from {
        let place = &mut places[digit(entry, min, shift)];
        to[*place as usize] = *entry;
        *place += 1;
    }
}

/// Calls `each` with every run of two or more neighbours that are the same to `of`.
pub(super) fn for_runs(
    entries: &mut [Entry],
    of: impl Fn(&Entry) -> u64,
    mut each: impl FnMut(&mut [Entry]),
) {
    let mut start = 0;
    while start < entries.len() {
        let first = of(&entries[start]);
        let more = entries[start + 1..].iter().take_while(|entry| of(entry) == first).count();
        if more > 0 {
            each(&mut entries[start..=start + more]);
        }
        start += more + 1;
    }
}

/// Cuts `entries` into ranges of keys, one a thread, and has `each` sort them: it is given a range, as
/// much scratch, and what [`sort`] wants.
pub(super) fn share(
    entries: &mut Vec<Entry>,
    work: &Work<'_>,
    each: impl Fn(&mut [Entry], &mut [Entry]) -> Step<()> + Sync,
) -> Step<()> {
    let mut scratch = Vec::new();
    reserve(&mut scratch, entries.len())?;
    scratch.resize(entries.len(), Entry::default());
    let parts = if entries.len() < SHARED_MIN { 1 } else { work.crew.size() };
    let range = if parts > 1 { range(entries) } else { None };
    let Some((min, width)) = range else {
        return work.share(
            1,
            std::iter::once(()).zip(std::iter::once(Mutex::new((entries, scratch)))),
            |turn, (_, lent)| {
                let (entries, scratch) = &mut *locked(&lent);
                each(entries, scratch)?;
                turn.done(1)
            },
        );
    };
    let shift = width.saturating_sub(DIGIT_BITS);
    let ends = bounds(entries, parts, min, shift);
    let mut sorted = Vec::new();
    reserve(&mut sorted, entries.len())?;
    sorted.resize(entries.len(), Entry::default());
    let from = entries.as_slice();
    let mut jobs = Vec::new();
    let (mut rest, mut spare) = (sorted.as_mut_slice(), scratch.as_mut_slice());
    let mut first = 0;
    for (end, count) in ends {
        let (part, after) = rest.split_at_mut(count);
        let (part_scratch, spare_after) = spare.split_at_mut(count);
        jobs.push((first..end, part, part_scratch));
        (rest, spare, first) = (after, spare_after, end);
    }
    work.share(jobs.len() as u32, jobs.into_iter(), |turn, (digits, part, scratch)| {
        let mut count = 0;
        for entry in from {
            // Each is copied, and the next over it if it is not ours: whether it is, nothing foretells.
            if let Some(to) = part.get_mut(count) {
                *to = *entry;
            }
            count += usize::from(digits.contains(&digit(entry, min, shift)));
        }
        each(part, scratch)?;
        turn.done(1)
    })?;
    *entries = sorted;
    Ok(())
}

/// Ranges of the highest digit, of about as many entries each: where each ends, and how many it has.
fn bounds(entries: &[Entry], parts: usize, min: u64, shift: u32) -> Vec<(usize, usize)> {
    let mut counts = [0_usize; DIGITS];
    for entry in entries {
        counts[digit(entry, min, shift)] += 1;
    }
    let mut ends = Vec::new();
    let (mut count, mut before) = (0, 0);
    for (digit, more) in counts.iter().enumerate() {
        count += more;
        let is_enough = (before + count) * parts >= entries.len() * (ends.len() + 1);
        if is_enough && ends.len() + 1 < parts || digit + 1 == DIGITS {
            ends.push((digit + 1, count));
            before += count;
            count = 0;
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Crew, Silent};

    /// Threads that are all the calling one.
    struct Many(usize);

    impl Crew for Many {
        fn size(&self) -> usize {
            self.0
        }

        fn run(&self, task: &(dyn Fn(usize) + Sync)) {
            task(0);
        }
    }

    fn check(keys: impl Iterator<Item = u64>, threads: usize, tie: u32) {
        let mut entries =
            keys.enumerate().map(|(row, key)| Entry { key, row: row as u32 ^ tie }).collect::<Vec<_>>();
        let mut expected = entries.clone();
        expected.sort_by_key(|entry| entry.key);
        let work = Work { crew: &Many(threads), watch: &Silent };
        share(&mut entries, &work, |entries, scratch| {
            sort(entries, scratch, tie);
            Ok(())
        })
        .unwrap();
        assert!(entries == expected);
    }

    fn noise(seed: u64) -> impl Iterator<Item = u64> {
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some(*state ^ *state >> 29)
        };
        std::iter::repeat(()).scan(seed, move |state, ()| next(state))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn agrees_with_a_stable_sort(
            count in 0_usize..200_000, seed in any::<u64>(), mask in any::<u64>(), threads in 1_usize..5, down in any::<bool>(),
        ) {
            check(noise(seed).take(count).map(|key| key & mask), threads, if down { u32::MAX } else { 0 });
        }
    }

    #[test]
    fn long_runs_that_differ_in_their_last_bits_are_sorted() {
        let far = |key: u64| if key.is_multiple_of(7) { key << 40 } else { key % 1000 };
        check(noise(1).take(100_000).map(far), 3, 0);
        check(std::iter::repeat_n(5, 70_000), 4, 0);
    }
}
