//! Whatever an operator's files say, it is a configuration, values, or a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = tombolo_model::runtime_config::parse("runtime.toml", text);
    let _ = tombolo_model::dotenv::parse(text);
});
