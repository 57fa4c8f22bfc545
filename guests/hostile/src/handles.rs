//! What the host holds for a guest: resources that are never dropped, and arguments that grow on
//! their way in.

use std::mem::{ManuallyDrop, forget};

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{Fields, ResponseOutparam};
use wasip2::io::poll;

use crate::answer;

pub fn fields() {
    loop {
        forget(Fields::new());
    }
}

pub fn pollables() {
    loop {
        forget(monotonic_clock::subscribe_duration(u64::MAX));
    }
}

/// Waits for a hundred thousand timers at once.
pub fn poll_list() {
    let timers: Vec<_> = (0..100_000).map(|_| monotonic_clock::subscribe_duration(u64::MAX)).collect();
    let list: Vec<_> = timers.iter().collect();
    poll::poll(&list);
}

/// A million entries in one resource.
pub fn fields_entries(out: ResponseOutparam) {
    let fields = Fields::new();
    let mut taken = 0;
    while taken < 1_000_000 && fields.append("x", b"y").is_ok() {
        taken += 1;
    }
    answer::text(out, &format!("{taken} entries"));
}

/// One MiB, a hundred thousand times in one list: 100 GB for a host that copies what it is shown.
pub fn fields_list(out: ResponseOutparam) {
    let mut value = ManuallyDrop::new(vec![b'y'; 1 << 20]);
    let name = || "x".to_owned();
    // SAFETY: all of these are only read, and none of them is ever dropped.
    let mut same = || unsafe { Vec::from_raw_parts(value.as_mut_ptr(), value.len(), value.len()) };
    let list: Vec<_> = (0..100_000).map(|_| (name(), same())).collect();
    let made = Fields::from_list(&list);
    forget(list);
    answer::text(out, &format!("made: {}", made.is_ok()));
}

/// As much as one resource may hold, and copies of it.
pub fn fields_clones() {
    let fields = Fields::new();
    let value = vec![b'y'; 32 << 10];
    while fields.append("x", &value).is_ok() {}
    loop {
        forget(fields.clone());
    }
}

/// Thirty-two MiB in one argument.
pub fn argument(out: ResponseOutparam) {
    let fields = Fields::new();
    let set = fields.append("x", &vec![b'y'; 32 << 20]);
    answer::text(out, &format!("set: {}", set.is_ok()));
}
