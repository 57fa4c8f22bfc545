//! The second wall. The first is WebAssembly: a guest has no instruction that leaves its sandbox.
//! Should the engine have a bug, what ran over the first wall is native code in the serving process.
//! So that process asks the kernel to refuse it what it does not need itself.
//!
//! - [`confine`] puts every wall up that this kernel has, and says which it has not: a missing wall
//!   never stops a server.
//! - [`confine_files`] puts up those that cost a short program little.
//! - [`probe`] tells the same of a process that wants to stay free.
//! - [`settle`] is the part that any server wants, also one whose children must stay free.
//!
//! # When
//!
//! In the main thread, before any other thread: before the tokio runtime is made. The kernel confines
//! a thread and whatever that thread starts later. The filter of system calls is set on threads that
//! run already, too; Landlock can do so only from ABI 8 (Linux 7.0), so on older kernels a thread
//! that was there before is reported as [`State::Off`].
//!
//! # Children
//!
//! A child has its parent's walls and may add more. It can be this program alone, run as
//! `/proc/self/exe` (a new file at the same path is another file). Its own `/proc/self` is not
//! readable to it: the rule names the parent's. It sets its own limits, as nobody may set another's.

mod plan;
mod report;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod syscalls;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{confine, confine_files, probe, raise_open_files, settle};
#[cfg(target_os = "linux")]
pub use linux::{confine, confine_files, probe, raise_open_files, settle};
pub use plan::Plan;
pub use report::{Report, State, Wall};
