//! What is done with bytes that nobody vouches for: one function for each parser of them.
//!
//! Each takes any bytes, and panics if something is wrong with the parser, not with the bytes. `fuzz/` searches with
//! libFuzzer for bytes that break one; the test `targets` of this crate tries thousands that are made from real files,
//! in seconds, with each `make test`.
//!
//! A target of several texts takes them a line each, so that its seeds can be read.

mod clients;
mod code;
mod control;
mod operator;
mod servers;
mod tenants;

pub use clients::{authority, file_path, negotiation, range, route};
pub use code::{sort_json, wasm};
pub use control::{bodies, release, token};
pub use operator::{node_toml, runtime_config};
pub use servers::{addresses, certificates, redis};
pub use tenants::{manifest, names, outbound, template};

/// Bytes as text: what is no UTF-8 is replaced, for parsers of text are given text.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A text as so many lines, the last with all that is left; what is not there is empty.
fn lines<const N: usize>(text: &str) -> [&str; N] {
    let mut lines = text.splitn(N, '\n');
    std::array::from_fn(|_| lines.next().unwrap_or(""))
}
