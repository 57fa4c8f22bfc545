//! Whatever a server sends, it is an answer within its bound or refused; whatever an address says, it is read or not.
#![no_main]

use tombolo_redis::{Address, Bytes};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without threads");
    let _ = runtime.block_on(tombolo_redis::read(&mut &*bytes, &mut Bytes(1 << 16)));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Address::parse(text);
    }
});
