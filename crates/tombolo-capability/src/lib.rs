//! What a guest may be given, and what it is given it through.
//!
//! A [`Capability`] is one thing on the outside: a key-value store, the variables of an app. It is
//! started once, asked once per component what that component was granted, and opened once per
//! instance. A [`Guest`] is the inside: the data of one instance, with its share of the memory
//! bound, its WASI contexts and the views it has opened. [`conformance`] is what every capability
//! must pass.

mod access;
mod allowance;
mod capability;
pub mod conformance;
mod guest;
mod held;
mod memory;
mod meter;
mod outbound;
mod parts;

pub use access::{Access, FromGuest};
pub use allowance::{Allowance, Exhausted};
pub use capability::{Abi, AnyCapability, Capability, GrantError, Granted, Grants};
pub use guest::{Guest, GuestParts};
pub use memory::{HeldMemory, HostMemory, MemoryBudget, MemoryExceeded};
pub use meter::{CpuExceeded, Meter, Pace, Slice, Usage, thread_ns};
pub use outbound::{OutboundUsage, OverBudget};
pub use parts::{Opened, Part, Parts};
