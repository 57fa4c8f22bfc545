//! Whatever a guest calls the address of a server, it is read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = tombolo_redis::Address::parse(text);
    tombolo_cap_mqtt::is_address(text);
    tombolo_cap_mysql::is_address(text);
    tombolo_cap_postgres::is_address(text);
});
