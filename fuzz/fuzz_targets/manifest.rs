//! Whatever a manifest says, it is an app or a message.
#![no_main]

use std::collections::BTreeMap;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = tombolo_model::manifest::parse("spin.toml", text, &BTreeMap::new());
});
