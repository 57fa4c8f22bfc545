//! What guests that mean harm can do to a node: to their callers, their neighbours, its memory.
//!
//! Each module is a family of attacks, most of them lines of a table: a path and what its caller
//! gets. [`ground`] runs one: while it goes on, another component of the same process is asked again
//! and again, and afterwards the process has to be as small as it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]
#![expect(
    clippy::print_stdout,
    reason = "the list of attacks and their ends is what `cargo xtask hostile` shows"
)]

mod answers;
mod attack;
mod bounds;
mod compute;
mod files;
mod ground;
mod handles;
mod network;
mod output;
mod start;
mod text;
mod waiting;
mod wasi3;
