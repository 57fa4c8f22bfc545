//! Taking the processor, the stack, the memory, and host calls that cost little and are many.

use std::hint::black_box;

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::ResponseOutparam;
use wasip2::io::poll;
use wasip2::random::random;

use crate::answer;

pub fn endless() {
    loop {
        black_box(());
    }
}

pub fn recursion(out: ResponseOutparam) {
    fn deeper(level: u64) -> u64 {
        if black_box(level) == u64::MAX {
            return 0;
        }
        let frame = black_box([level; 16]);
        black_box(deeper(black_box(frame[3] + 1))) + frame[5]
    }
    answer::text(out, &format!("came back from {}", deeper(0)));
}

/// Takes all memory there is, and writes to every page of it.
pub fn memory(out: ResponseOutparam) {
    const PAGE_BYTES: usize = 64 << 10;
    let mut pages = 0;
    loop {
        let at = core::arch::wasm32::memory_grow::<0>(1);
        if at == usize::MAX {
            break;
        }
        let page = (at * PAGE_BYTES) as *mut u8;
        for offset in (0..PAGE_BYTES).step_by(4096) {
            // SAFETY: the page was just given to this guest and nothing else knows of it.
            unsafe { page.add(offset).write_volatile(1) };
        }
        pages += 1;
    }
    answer::text(out, &format!("took {} MiB", pages / 16));
}

pub fn clock() {
    loop {
        black_box(monotonic_clock::now());
    }
}

pub fn random() {
    loop {
        black_box(random::get_random_u64());
    }
}

pub fn random_huge(out: ResponseOutparam) {
    let bytes = random::get_random_bytes(1 << 40);
    answer::text(out, &format!("got {} bytes", bytes.len()));
}

/// As many bytes as one call may ask for here, again and again.
pub fn random_large() {
    loop {
        black_box(random::get_random_bytes(16 << 20));
    }
}

pub fn sleep() {
    monotonic_clock::subscribe_duration(u64::MAX).block();
}

/// Waits for what is ready at once, for ever.
pub fn busy_poll() {
    let ready = monotonic_clock::subscribe_duration(0);
    loop {
        black_box(poll::poll(&[&ready]));
    }
}

pub fn poll_nothing() {
    poll::poll(&[]);
}
