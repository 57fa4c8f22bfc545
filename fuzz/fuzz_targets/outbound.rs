//! Whatever `allowed_outbound_hosts` says, it is rules or a message, and rules can be asked.
#![no_main]

use tombolo_model::outbound::AllowedHosts;

libfuzzer_sys::fuzz_target!(|input: (&str, &str, &str, u16)| {
    let (entry, scheme, host, port) = input;
    if let Ok(hosts) = AllowedHosts::parse([entry]) {
        hosts.allows(scheme, host, port);
    }
});
