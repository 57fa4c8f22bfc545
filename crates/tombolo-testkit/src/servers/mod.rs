//! Real servers that guests and hosts talk to, as Debian has them: each on a port of its own, in a folder of
//! its own, stopped when the test process is done with them, however it ends.

pub mod mysql;
pub mod postgres;
mod process;
