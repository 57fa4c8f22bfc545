//! Whatever `allowed_outbound_hosts` says, it is rules or a message, and rules can be asked.
#![no_main]

use tombolo_model::outbound::{AllowedHosts, Destination};
use tombolo_model::reach::PrivateNetworks;

libfuzzer_sys::fuzz_target!(|input: (&str, &str, &str, u16, [u8; 16])| {
    let (entry, scheme, host, port, address) = input;
    if let Ok(hosts) = AllowedHosts::parse([entry]) {
        hosts.allows(scheme, host, port);
        hosts.reaches(&Destination { scheme, host, port }, address.into(), PrivateNetworks::ByName);
    }
});
