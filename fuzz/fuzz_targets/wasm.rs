//! Whatever the bytes are, they are inspected or refused; nothing is compiled.
#![no_main]

use tombolo_runtime::inspect;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(binary) = inspect::binary(bytes) else { return };
    if inspect::inspect(&binary).is_ok() {
        inspect::abi(&binary);
    }
    // What is renamed was valid, and still is.
    if let Ok(released) = tombolo_cap_wasi::candidate::released(&binary) {
        inspect::inspect(&released).expect("names are all that was changed");
    }
});
