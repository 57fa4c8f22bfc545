//! Ranges of the memory that a caller names, checked before they are touched.
#![expect(unsafe_code, reason = "a caller names memory by numbers; this module alone makes slices of them")]

use std::alloc::{Layout, alloc, dealloc};
use std::ops::Range;

use tombolo_kernels::KernelError;

use crate::status::BAD_RANGE;

/// Bytes of a page of WebAssembly memory.
const PAGE_BYTES: usize = 65_536;

/// Numbers of which every pattern of bits is one, so that any bytes may be read as some.
pub(crate) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u32 {}
impl Plain for f32 {}
impl Plain for f64 {}

/// `count` values at `pointer`, if they lie within the memory.
fn range<T: Plain>(pointer: usize, count: usize) -> Result<Range<usize>, KernelError> {
    let bytes = count.checked_mul(size_of::<T>()).filter(|bytes| isize::try_from(*bytes).is_ok());
    let end = bytes.and_then(|bytes| pointer.checked_add(bytes)).ok_or(BAD_RANGE)?;
    let pages = core::arch::wasm32::memory_size(0);
    let is_inside = end.div_ceil(PAGE_BYTES) <= pages && pointer != 0 && pointer.is_multiple_of(align_of::<T>());
    if is_inside { Ok(pointer..end) } else { Err(BAD_RANGE) }
}

/// What a kernel reads.
///
/// The slice lives as long as the call; the caller must not write to it meanwhile, as it is told.
pub(crate) fn read<'m, T: Plain>(pointer: usize, count: usize) -> Result<&'m [T], KernelError> {
    if count == 0 {
        return Ok(&[]);
    }
    let range = range::<T>(pointer, count)?;
    // SAFETY: the range is within the memory, aligned, not null and shorter than isize::MAX, and any
    // bytes are a `T`. The memory never shrinks.
    Ok(unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(range.start), count) })
}

/// What a kernel writes to. `others` are the ranges that it reads: none may touch this one.
pub(crate) fn write<'m, T: Plain>(
    pointer: usize,
    count: usize,
    others: &[Range<*const u8>],
) -> Result<&'m mut [T], KernelError> {
    if count == 0 {
        return Ok(&mut []);
    }
    let range = range::<T>(pointer, count)?;
    let overlaps = |other: &&Range<*const u8>| other.start.addr() < range.end && range.start < other.end.addr();
    if others.iter().any(|other| overlaps(&other)) {
        return Err(BAD_RANGE);
    }
    // SAFETY: as in `read`, and no slice that this call made overlaps it.
    Ok(unsafe { std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut(range.start), count) })
}

/// The bytes that a slice covers.
pub(crate) fn span<T: Plain>(values: &[T]) -> Range<*const u8> {
    let range = values.as_ptr_range();
    range.start.cast()..range.end.cast()
}

fn layout(bytes: usize, align: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), align).ok()
}

/// Memory of `bytes`, at a multiple of `align`, a power of two; 0 if it is not to be had.
#[unsafe(no_mangle)]
pub extern "C" fn tk_alloc(bytes: usize, align: usize) -> usize {
    // SAFETY: the layout has at least one byte.
    layout(bytes, align).map_or(0, |layout| unsafe { alloc(layout) }.expose_provenance())
}

/// Gives back what [`tk_alloc`] answered to the same numbers. 0 is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn tk_free(pointer: usize, bytes: usize, align: usize) {
    if let (Some(layout), true) = (layout(bytes, align), pointer != 0) {
        // SAFETY: the caller has the pointer from `tk_alloc`, of the same layout, and frees it once.
        unsafe { dealloc(std::ptr::with_exposed_provenance_mut(pointer), layout) }
    }
}
