//! What a component that answers HTTP needs without the standard library: memory, an end, an answer.

#![no_std]

extern crate alloc;

use core::alloc::Layout;
use core::arch::wasm32::unreachable;

use alloc::alloc::{alloc, realloc};
use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// What the host asks for memory with, to hand over strings and lists (Canonical ABI, `realloc`).
///
/// # Safety
///
/// `old` is null, or came from here with `old_bytes` and `align`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cabi_realloc(old: *mut u8, old_bytes: usize, align: usize, bytes: usize) -> *mut u8 {
    let layout = |bytes| Layout::from_size_align(bytes, align).unwrap_or_else(|_| unreachable());
    match (old_bytes, bytes) {
        (0, 0) => align as *mut u8,
        // SAFETY: `bytes` is not 0.
        (0, _) => unsafe { alloc(layout(bytes)) },
        // SAFETY: as the caller says.
        _ => unsafe { realloc(old, layout(old_bytes), bytes) },
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}

/// Answers 200 with `bytes`.
pub fn answer(out: ResponseOutparam, bytes: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let _ = stream.blocking_write_and_flush(bytes);
    }
    let _ = OutgoingBody::finish(body, None);
}
