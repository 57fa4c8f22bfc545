//! Sorts the rows of a JSON array by a key, without building a tree.
//!
//! A scan checks the whole text against RFC 8259 and notes where each row begins and ends and what its
//! key is; the keys are sorted; what comes out is a permutation, or the rows' text in order.
//!
//! Order, ascending: rows without the key and rows where it is `null`; numbers, by value; strings, by
//! code point, which is also the order of their UTF-8; `false`; `true`; arrays and objects. Rows that
//! are alike keep their order, in both directions; arrays and objects are all alike.
//!
//! As in `JSON.parse`: numbers are of 64-bit floating point, so that 1 and 1.0 and large neighbouring
//! whole numbers may be alike, and one too large is infinite; of equal keys in an object the last
//! counts; and an escaped surrogate may stand alone (it is ordered by its number). Unlike there, the
//! text must be UTF-8 without a byte order mark, and [`NESTING_MAX`] bounds its depth.

mod block;
mod key;
mod lex;
mod number;
mod order;
mod radix;
mod scan;
mod string;
mod text;
mod write;

pub use key::Key;
pub use lex::NESTING_MAX;

use crate::memory::reserve;
use crate::{KernelError, Work};

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As the module says.
    Ascending,
    /// The other way round; rows that are alike still keep their order.
    Descending,
}

/// Rows of a JSON array in order, as positions in its text.
#[derive(Debug)]
pub struct Sorted {
    permutation: Vec<u32>,
    starts: Vec<u32>,
    ends: Vec<u32>,
    source_bytes: usize,
}

/// Sorts a JSON array of objects by `key`.
///
/// # Errors
///
/// [`KernelError::Json`] if the bytes are no JSON, [`KernelError::NotRows`] if they are no array of
/// objects, [`KernelError::Size`] if they are 4 GiB or more.
pub fn sort_json(
    bytes: &[u8],
    key: &Key,
    direction: Direction,
    work: &Work<'_>,
) -> Result<Sorted, KernelError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(KernelError::Size("a JSON text to sort must be shorter than 4 GiB"));
    }
    let rows = scan::rows(bytes, key, work)?;
    let permutation = order::permutation(bytes, &rows, direction, work)?;
    Ok(Sorted { permutation, starts: rows.starts, ends: rows.ends, source_bytes: bytes.len() })
}

impl Sorted {
    /// For each place in the sorted array, which row of the source stands there.
    #[must_use]
    pub fn permutation(&self) -> &[u32] {
        &self.permutation
    }

    /// Where each row of the source begins: the offset of its `{`.
    #[must_use]
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Where each row of the source ends: the offset after its `}`.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Where the text of a row of the source is.
    fn span(&self, row: u32) -> std::ops::Range<usize> {
        self.starts[row as usize] as usize..self.ends[row as usize] as usize
    }

    /// Bytes that [`Sorted::write`] writes.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        let rows: usize = self.starts.iter().zip(&self.ends).map(|(start, end)| (end - start) as usize).sum();
        rows + self.starts.len().max(1) + 1
    }

    /// Writes the sorted array: the text of each row as it was, a comma and nothing else between them.
    ///
    /// # Errors
    ///
    /// [`KernelError::Size`] if `source` is not as long as what was sorted or `target` is not
    /// [`Sorted::bytes_len`] long.
    pub fn write(&self, source: &[u8], target: &mut [u8], work: &Work<'_>) -> Result<(), KernelError> {
        if source.len() != self.source_bytes {
            return Err(KernelError::Size("the source must be the text that was sorted"));
        }
        if target.len() != self.bytes_len() {
            return Err(KernelError::Size("the target must be as long as the sorted text"));
        }
        write::rows(self, source, target, work)
    }

    /// As [`Sorted::write`], into a new vector.
    ///
    /// # Errors
    ///
    /// As [`Sorted::write`], and [`KernelError::OutOfMemory`].
    pub fn to_vec(&self, source: &[u8], work: &Work<'_>) -> Result<Vec<u8>, KernelError> {
        let mut target = Vec::new();
        reserve(&mut target, self.bytes_len())?;
        target.resize(self.bytes_len(), 0);
        self.write(source, &mut target, work)?;
        Ok(target)
    }
}
