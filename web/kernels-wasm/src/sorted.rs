//! Sorted rows, kept until they are freed, each under a number.
#![expect(unsafe_code, reason = "an export without its Rust name is unsafe to declare")]

use std::sync::{Arc, Mutex, PoisonError};

use tombolo_kernels::KernelError;
use tombolo_kernels::json::{Direction, Key, Sorted, sort_json};

use crate::exports::WORK;
use crate::memory::{read, span, write};
use crate::status::{Status, status};

/// Results by handle less one. A freed place is used again.
static KEPT: Mutex<Vec<Option<Arc<Sorted>>>> = Mutex::new(Vec::new());

fn keep(sorted: Sorted) -> Result<u32, KernelError> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let free = kept.iter().position(Option::is_none);
    let at = free.unwrap_or(kept.len());
    if free.is_none() {
        kept.try_reserve(1).map_err(|_| KernelError::OutOfMemory { bytes: size_of::<usize>() })?;
        kept.push(None);
    }
    kept[at] = Some(Arc::new(sorted));
    Ok(at as u32 + 1)
}

fn kept(handle: u32) -> Result<Arc<Sorted>, KernelError> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let sorted = kept.get((handle as usize).wrapping_sub(1)).and_then(Clone::clone);
    sorted.ok_or(KernelError::Size("no rows are kept under this handle"))
}

/// What `ask` says of the rows under a handle, or 0.
fn of<T: Default>(handle: u32, ask: impl FnOnce(&Sorted) -> T) -> T {
    let answer = kept(handle).map(|sorted| ask(&sorted));
    answer.unwrap_or_else(|error| {
        status(Err(error));
        T::default()
    })
}

/// Sorts a JSON array: see [`sort_json`]. Answers a handle to give to the functions below and at last to
/// [`tk_sorted_free`], or 0: `tk_error_status`, `tk_error_offset` and `tk_error_reason` say why.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sort_json(bytes: usize, len: usize, key: usize, key_len: usize, descending: u32) -> u32 {
    let sort = || {
        let key = str::from_utf8(read(key, key_len)?).map_err(|_| KernelError::Key("a key must be UTF-8"))?;
        let direction = if descending == 0 { Direction::Ascending } else { Direction::Descending };
        keep(sort_json(read(bytes, len)?, &Key::parse(key)?, direction, &WORK)?)
    };
    let result = sort();
    let handle = *result.as_ref().unwrap_or(&0);
    status(result.map(|_| ()));
    handle
}

/// How many rows there are.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_rows(handle: u32) -> u32 {
    of(handle, |sorted| sorted.permutation().len() as u32)
}

/// Where the permutation is: for each place, 32 bits that say which row of the source stands there.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_permutation(handle: u32) -> usize {
    of(handle, |sorted| sorted.permutation().as_ptr().addr())
}

/// Where the beginnings of the rows are, in the source's order: 32 bits each, offsets into its text.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_starts(handle: u32) -> usize {
    of(handle, |sorted| sorted.starts().as_ptr().addr())
}

/// As [`tk_sorted_starts`], their ends.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_ends(handle: u32) -> usize {
    of(handle, |sorted| sorted.ends().as_ptr().addr())
}

/// Bytes that [`tk_sorted_write`] writes.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_bytes_len(handle: u32) -> usize {
    of(handle, Sorted::bytes_len)
}

/// Writes the sorted array: see [`Sorted::write`]. `bytes` must be what was sorted.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_write(handle: u32, bytes: usize, len: usize, out: usize, out_len: usize) -> Status {
    let emit = || {
        let sorted = kept(handle)?;
        let source = read(bytes, len)?;
        let out = write(out, out_len, &[span(source)])?;
        sorted.write(source, out, &WORK)
    };
    status(emit())
}

/// Lets the rows under a handle go. What the pointers pointed to is gone with them.
#[unsafe(no_mangle)]
pub extern "C" fn tk_sorted_free(handle: u32) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = kept.get_mut((handle as usize).wrapping_sub(1)) {
        *place = None;
    }
}
