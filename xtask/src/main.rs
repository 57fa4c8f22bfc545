//! Chores of this repository: `cargo xtask <chore>`.

mod bench;
mod guests;
mod hostile;
mod scripted;
mod soak;
mod tidy;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Chores of this repository
#[derive(Parser)]
enum Chore {
    /// Build all guests and examples into target/guests/wasm; those that did not change are kept
    Guests {
        /// Only these
        names: Vec<String>,
        /// Only those in Rust, which need neither npm nor pip
        #[arg(long)]
        rust: bool,
    },
    /// Build the kernels for browsers and the npm package; those that did not change are kept
    Web,
    /// Check what no compiler checks: file sizes, dependency directions, dead links, stray files
    Tidy,
    /// Run the guests that mean harm, and list how each attack ended
    Hostile,
    /// Compare with native hyper and `wasmtime serve`, alternating, and print medians and ratios
    Bench(bench::Bench),
    /// Load a server with hello, hostile and slow guests for ten minutes: flat memory, nothing lost
    Soak(soak::Soak),
    /// The native server that `bench` measures against
    #[command(hide = true)]
    Hyper {
        /// Where to listen
        address: std::net::SocketAddr,
    },
    /// The native proxy that `bench` measures against
    #[command(hide = true)]
    Proxy {
        /// Where to listen
        address: std::net::SocketAddr,
        /// Where to send requests on to
        upstream: std::net::SocketAddr,
    },
}

fn main() -> ExitCode {
    let root = root();
    let result = match Chore::parse() {
        Chore::Guests { names, rust } => build_guests(&root, names, rust),
        Chore::Web => web::build(&root),
        Chore::Tidy => tidy::check(&root),
        Chore::Hostile => hostile::run(&root),
        Chore::Bench(bench) => bench.run(&root),
        Chore::Soak(soak) => soak.run(&root),
        Chore::Hyper { address } => bench::native::serve(address),
        Chore::Proxy { address, upstream } => bench::native::proxy(address, upstream),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn build_guests(root: &Path, names: Vec<String>, only_rust: bool) -> Result<(), String> {
    if names.is_empty() {
        guests::build(root, &[])?;
        return if only_rust { Ok(()) } else { scripted::build(root, &[]) };
    }
    let (scripted, rust): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| scripted::has(name));
    if !rust.is_empty() {
        guests::build(root, &rust)?;
    }
    if scripted.is_empty() { Ok(()) } else { scripted::build(root, &scripted) }
}

/// The root of the repository: this crate is a folder in it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate is in a folder of the repository").to_owned()
}

#[expect(clippy::print_stderr, reason = "a chore talks to whoever runs it")]
fn say(text: &str) {
    eprintln!("{text}");
}
