//! The least a component that answers HTTP can be: no standard library, one answer.
//!
//! What remains of its cost is the host's. Small enough to be compiled by the thousand.

#![no_std]

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Lean;

wasip2::http::proxy::export!(Lean);

impl Guest for Lean {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        bare::answer(out, b"lean\n");
    }
}
