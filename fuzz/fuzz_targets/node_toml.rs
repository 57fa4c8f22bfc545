//! Whatever a `node.toml` says, it is a configuration or a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = tombolo_model::node_config::parse("node.toml", text);
});
