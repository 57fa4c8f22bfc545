//! What the linker has to know of a module that several threads share.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "atomics") {
        // A worker sets its own stack. Whoever makes the memory may give it a smaller maximum than this.
        println!("cargo:rustc-cdylib-link-arg=--export=__stack_pointer");
        println!("cargo:rustc-cdylib-link-arg=--max-memory=4294967296");
    }
}
