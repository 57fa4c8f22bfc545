//! The kernels' exports.
#![expect(unsafe_code, reason = "an export without its Rust name, and one import, are unsafe to declare")]

use std::cell::RefCell;

use tombolo_kernels::matmul::{self, Shape};
use tombolo_kernels::resample::{self, Normal, Size};
use tombolo_kernels::{KernelError, Watch, Work, blur};

use crate::memory::{read, span, write};
use crate::pool::CREW;
use crate::status::{Status, last, last_status, status};

mod import {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) safe fn tk_progress(done: u32, total: u32) -> u32;
    }
}

/// Tells the embedder.
struct Embedder;

impl Watch for Embedder {
    fn goes_on(&self, done: u32, total: u32) -> bool {
        import::tk_progress(done, total) == 0
    }
}

/// All threads there are, watched by the embedder.
pub(crate) const WORK: Work<'static> = Work { crew: &CREW, watch: &Embedder };

thread_local! {
    static SCRATCH: RefCell<blur::Scratch> = RefCell::default();
}

/// The version of this interface.
#[unsafe(no_mangle)]
pub extern "C" fn tk_abi() -> u32 {
    1
}

/// What the module was built with: bit 0 SIMD, bit 1 relaxed SIMD, bit 2 threads.
#[unsafe(no_mangle)]
pub extern "C" fn tk_features() -> u32 {
    u32::from(cfg!(target_feature = "simd128"))
        | u32::from(cfg!(target_feature = "relaxed-simd")) << 1
        | u32::from(cfg!(target_feature = "atomics")) << 2
}

/// Nothing: what a call costs.
#[unsafe(no_mangle)]
pub extern "C" fn tk_nop() {}

/// The status of this thread's last error: of a function that does not answer one itself.
#[unsafe(no_mangle)]
pub extern "C" fn tk_error_status() -> Status {
    last_status()
}

/// Where in a JSON text this thread's last error was.
#[unsafe(no_mangle)]
pub extern "C" fn tk_error_offset() -> u32 {
    last().0
}

/// Writes the text of this thread's last error, cut to `out_len` bytes. Answers its whole length.
#[unsafe(no_mangle)]
pub extern "C" fn tk_error_reason(out: usize, out_len: usize) -> usize {
    let (_, reason) = last();
    let written = out_len.min(reason.len());
    if let Ok(out) = write::<u8>(out, written, &[]) {
        out.copy_from_slice(&reason.as_bytes()[..written]);
    }
    reason.len()
}

/// See [`tombolo_kernels::fibonacci`]; all ones for an `n` over 93.
#[unsafe(no_mangle)]
pub extern "C" fn tk_fibonacci(n: u32) -> u64 {
    let result = tombolo_kernels::fibonacci::fibonacci(n);
    let value = *result.as_ref().unwrap_or(&u64::MAX);
    status(result.map(|_| ()));
    value
}

/// See [`tombolo_kernels::crc32`]; `state` itself for a range that is not in the memory.
#[unsafe(no_mangle)]
pub extern "C" fn tk_crc32(state: u32, bytes: usize, len: usize) -> u32 {
    match read(bytes, len) {
        Ok(bytes) => tombolo_kernels::crc32::crc32(state, bytes),
        Err(error) => {
            status(Err(error));
            state
        }
    }
}

/// 1 if two ranges hold the same bytes: see [`tombolo_kernels::equal`].
#[unsafe(no_mangle)]
pub extern "C" fn tk_equal(left: usize, right: usize, len: usize) -> u32 {
    let both = read(left, len).and_then(|left| Ok((left, read(right, len)?)));
    match both {
        Ok((left, right)) => u32::from(tombolo_kernels::equal::constant_time_eq(left, right)),
        Err(error) => {
            status(Err(error));
            0
        }
    }
}

/// Bytes of an image, or a number that no range has.
fn image_bytes(width: usize, height: usize) -> usize {
    width.saturating_mul(height).saturating_mul(4)
}

/// See [`blur::gaussian_blur`].
#[unsafe(no_mangle)]
pub extern "C" fn tk_blur(pixels: usize, width: usize, height: usize, sigma: f32) -> Status {
    status(write(pixels, image_bytes(width, height), &[]).and_then(|pixels| {
        SCRATCH.with_borrow_mut(|scratch| blur::gaussian_blur(pixels, width, height, sigma, scratch, &WORK))
    }))
}

/// Gives back the memory that [`tk_blur`] keeps for the next call.
#[unsafe(no_mangle)]
pub extern "C" fn tk_release_scratch() {
    SCRATCH.take();
}

/// See [`resample::resize_bicubic`].
#[unsafe(no_mangle)]
pub extern "C" fn tk_resize(
    source: usize,
    source_width: usize,
    source_height: usize,
    target: usize,
    target_width: usize,
    target_height: usize,
) -> Status {
    let from = Size { width: source_width, height: source_height };
    let to = Size { width: target_width, height: target_height };
    let resize = || {
        let source = read(source, image_bytes(source_width, source_height))?;
        let target = write(target, image_bytes(target_width, target_height), &[span(source)])?;
        resample::resize_bicubic(source, from, target, to, &WORK)
    };
    status(resize())
}

/// See [`resample::preprocess`]. `mean` and `deviation` are of three numbers each.
#[unsafe(no_mangle)]
pub extern "C" fn tk_preprocess(
    source: usize,
    source_width: usize,
    source_height: usize,
    target: usize,
    target_width: usize,
    target_height: usize,
    mean: usize,
    deviation: usize,
) -> Status {
    let from = Size { width: source_width, height: source_height };
    let to = Size { width: target_width, height: target_height };
    let preprocess = || {
        let source = read(source, image_bytes(source_width, source_height))?;
        let normal = Normal { mean: three(mean)?, deviation: three(deviation)? };
        let count = target_width.saturating_mul(target_height).saturating_mul(3);
        let target = write::<f32>(target, count, &[span(source)])?;
        resample::preprocess(source, from, target, to, &normal, &WORK)
    };
    status(preprocess())
}

fn three(pointer: usize) -> Result<[f32; 3], KernelError> {
    let values = read(pointer, 3)?;
    Ok([values[0], values[1], values[2]])
}

/// See [`matmul::matmul_f32`].
#[unsafe(no_mangle)]
pub extern "C" fn tk_matmul_f32(a: usize, b: usize, c: usize, m: usize, k: usize, n: usize) -> Status {
    let multiply = || {
        let a = read(a, m.saturating_mul(k))?;
        let b = read(b, k.saturating_mul(n))?;
        let c = write(c, m.saturating_mul(n), &[span(a), span(b)])?;
        matmul::matmul_f32(a, b, c, Shape { m, k, n }, &WORK)
    };
    status(multiply())
}

/// See [`matmul::matmul_f64`].
#[unsafe(no_mangle)]
pub extern "C" fn tk_matmul_f64(a: usize, b: usize, c: usize, m: usize, k: usize, n: usize) -> Status {
    let multiply = || {
        let a = read(a, m.saturating_mul(k))?;
        let b = read(b, k.saturating_mul(n))?;
        let c = write(c, m.saturating_mul(n), &[span(a), span(b)])?;
        matmul::matmul_f64(a, b, c, Shape { m, k, n }, &WORK)
    };
    status(multiply())
}
