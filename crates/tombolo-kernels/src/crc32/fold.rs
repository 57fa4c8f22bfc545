//! Folding without multiplication.
//!
//! Modulo the generator, x^(128·300) + x^(128·155) + x^(128·117) + x^(128·89) + 1 = 0: the first such
//! multiple of weight five, found by comparing sums of pairs of powers (the test checks it). So a block
//! may be moved 145, 183, 211 and 300 blocks towards the end.

use super::by_tables;

/// How far a word of eight bytes moves, in words.
const MOVES: [usize; 4] = [290, 366, 422, 600];
/// Words that may still have to move.
const PENDING: usize = MOVES[3];
/// Words folded at once: fewer than the shortest move, so that none depends on another.
const STEP: usize = 256;
/// Steps until what is pending is copied to the front: together 21 KiB, which stay in the first cache.
const STEPS: usize = 8;
/// Shorter inputs are not worth the 4.8 KB that tables finish.
const BYTES_MIN: usize = 16 * 1024;

/// As [`super::crc32`].
pub(super) fn crc32(state: u32, bytes: &[u8]) -> u32 {
    if bytes.len() < BYTES_MIN {
        return !by_tables(!state, bytes);
    }
    let steps = bytes.len() / 8 - PENDING;
    let (folded, rest) = bytes.split_at(steps / STEP * STEP * 8);
    let mut words = [0_u64; PENDING + STEPS * STEP];
    let mut first = u64::from(!state); // A state is what is added to the first four bytes.
    let mut filled = PENDING;
    let (steps, _) = folded.as_chunks::<{ STEP * 8 }>();
    for step in steps {
        if filled == words.len() {
            words.copy_within(filled - PENDING.., 0);
            filled = PENDING;
        }
        fold(&mut words, filled, step);
        words[filled] ^= first;
        first = 0;
        filled += STEP;
    }
    finish(&words[filled - PENDING..filled], rest)
}

/// Fills the words from `at` on with those of `step` and what moves to them.
fn fold(words: &mut [u64], at: usize, step: &[u8; STEP * 8]) {
    let (past, fresh) = words.split_at_mut(at);
    let moved = |by: usize| past[at - by..].first_chunk::<STEP>().expect("every move is longer than a step");
    let [a, b, c, d] = MOVES.map(moved);
    let fresh = fresh.first_chunk_mut::<STEP>().expect("there is room for a whole step");
    let (step, _) = step.as_chunks::<8>();
    for (at, word) in fresh.iter_mut().enumerate() {
        *word = u64::from_le_bytes(step[at]) ^ a[at] ^ b[at] ^ c[at] ^ d[at];
    }
}

/// Adds what is `pending` to the first words of `rest`, and divides.
fn finish(pending: &[u64], rest: &[u8]) -> u32 {
    let (ends, rest) = rest.split_at(PENDING * 8);
    let mut last = [[0; 8]; PENDING];
    for (at, (last, end)) in last.iter_mut().zip(ends.as_chunks::<8>().0).enumerate() {
        let moved = MOVES.iter().filter(|by| at < **by).map(|by| pending[PENDING + at - by]);
        *last = moved.fold(u64::from_le_bytes(*end), |sum, word| sum ^ word).to_le_bytes();
    }
    !by_tables(by_tables(0, last.as_flattened()), rest)
}
