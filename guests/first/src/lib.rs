//! Answers how long after its clock began its first instructions run, in nanoseconds, as eight bytes.
//!
//! A clock begins with the store of a request, so this is what a request waits for before its guest runs.

#![no_std]

use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct First;

wasip2::http::proxy::export!(First);

impl Guest for First {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        bare::answer(out, &monotonic_clock::now().to_le_bytes());
    }
}
