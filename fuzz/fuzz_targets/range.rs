//! Whatever a `range` header says, what is sent of a file is there.
#![no_main]

use tombolo_gateway::assets::range::Asked;

libfuzzer_sys::fuzz_target!(|input: (&str, u64)| {
    let (value, length) = input;
    if let Asked::Part(bytes) = Asked::of(value, length) {
        assert!(bytes.start < bytes.end && bytes.end <= length);
    }
});
