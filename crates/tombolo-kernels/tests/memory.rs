//! Every allocation whose size the input decides fails once: the kernel says so, and the next call works.
#![expect(unsafe_code, reason = "an allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tombolo_kernels::blur::{Scratch, gaussian_blur};
use tombolo_kernels::json::{Direction, Key, sort_json};
use tombolo_kernels::matmul::{Shape, matmul_f32, matmul_f64};
use tombolo_kernels::resample::{Normal, Size, preprocess, resize_bicubic};
use tombolo_kernels::{KernelError, Work};

/// What is smaller does not depend on the input, and never fails here.
const LARGE_BYTES: usize = 8192;

thread_local! {
    /// How many large allocations of this thread succeed before one fails.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Failing;

fn fails(bytes: usize) -> bool {
    let Some(left) = LEFT.get().filter(|_| bytes >= LARGE_BYTES) else { return false };
    LEFT.set(left.checked_sub(1));
    left == 0
}

// SAFETY: the system's allocator does all the work; a null pointer is how an allocator says no.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if fails(bytes) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Lets each large allocation of `run` fail in turn. At least `least` of them there must be.
fn every_allocation_fails(least: usize, mut run: impl FnMut() -> Result<(), KernelError>) {
    for left in 0..1000 {
        LEFT.set(Some(left));
        let result = run();
        LEFT.set(None);
        match result {
            Err(KernelError::OutOfMemory { bytes }) => assert!(bytes >= LARGE_BYTES, "{bytes}"),
            Ok(()) => return assert!(left >= least, "only {left} allocations"),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("there is no end of allocations");
}

#[test]
fn images() {
    let (from, to) = (Size { width: 3000, height: 100 }, Size { width: 3100, height: 110 });
    for alpha in [255, 100] {
        let pixels = [1, 2, 3, alpha].repeat(from.width * from.height);
        let mut blurred = pixels.clone();
        every_allocation_fails(3, || {
            gaussian_blur(&mut blurred, from.width, from.height, 4.0, &mut Scratch::default(), &Work::ALONE)
        });
        let mut target = vec![0; to.width * to.height * 4];
        every_allocation_fails(4, || resize_bicubic(&pixels, from, &mut target, to, &Work::ALONE));
        let mut planes = vec![0.0; to.width * to.height * 3];
        let normal = Normal { mean: [0.0; 3], deviation: [1.0; 3] };
        every_allocation_fails(4, || preprocess(&pixels, from, &mut planes, to, &normal, &Work::ALONE));
    }
}

#[test]
fn matrices() {
    let shape = Shape { m: 100, k: 100, n: 100 };
    let mut c = vec![0.0; 10_000];
    every_allocation_fails(2, || matmul_f32(&[1.0; 10_000], &[1.0; 10_000], &mut c, shape, &Work::ALONE));
    let mut c = vec![0.0; 10_000];
    every_allocation_fails(2, || matmul_f64(&[1.0; 10_000], &[1.0; 10_000], &mut c, shape, &Work::ALONE));
}

#[test]
fn rows() {
    for value in ["7", "\"text\"", "\"text that is longer and \\u0041 escaped\"", "{}"] {
        let row = format!("{{\"k\":{value}}}");
        let text = format!("[{}]", vec![row; 20_000].join(","));
        every_allocation_fails(6, || {
            let key = Key::parse("k")?;
            let sorted = sort_json(text.as_bytes(), &key, Direction::Ascending, &Work::ALONE)?;
            sorted.to_vec(text.as_bytes(), &Work::ALONE).map(drop)
        });
    }
    let name = "n".repeat(10_000);
    let text = format!("[{{\"{name}\\u0041\":1}}]");
    every_allocation_fails(1, || {
        sort_json(text.as_bytes(), &Key::parse("k")?, Direction::Ascending, &Work::ALONE).map(drop)
    });
}
