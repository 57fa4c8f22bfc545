//! What Tombolo's tests stand on: folders of their own, the real program, real connections.
//!
//! Nothing is shared between tests, no port is fixed, nothing sleeps for an event: a test waits for
//! a state.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

pub mod cells;
mod http;
mod sandbox;
pub mod sdk;
pub mod servers;
mod serving;
mod up;

use std::path::PathBuf;

pub use http::{Connection, Cut, Response};
pub use sandbox::{Finished, Sandbox};
pub use serving::Serving;
pub use up::Up;

/// The root of the repository.
pub fn root() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Lets this process have so many open files.
///
/// # Panics
///
/// If it may not: `ulimit -H -n` says how many it may.
pub fn allow_open_files(files: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        limit.current = Some(files);
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

/// The wasm file of a guest or example.
///
/// # Panics
///
/// If it was not built: a test without its guest proves nothing.
pub fn guest(name: &str) -> PathBuf {
    let file = root().join(format!("target/guests/wasm/{name}.wasm"));
    assert!(file.exists(), "there is no {}: run `cargo xtask guests` first", file.display());
    file
}
