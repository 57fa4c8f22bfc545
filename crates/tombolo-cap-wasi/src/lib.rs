//! WASI for Tombolo guests: 0.1 by adaptation, 0.2 and 0.3 by linking, `wasi:http` both ways.
//!
//! A [`World`] is what one component may see of the machine. Clocks and random numbers are always
//! there; everything else is a grant: no environment, directory, standard stream, socket or request
//! to another host unless the world says so. [`adapt`] turns a core module of WASI 0.1 into a
//! component; [`link`] adds the interfaces to a linker.

pub mod adapt;
pub mod candidate;
mod denied;
mod link;
mod log_budget;
pub mod network;
mod outbound;
pub mod output;
pub mod pipe;
pub mod snapshot;
mod spin1;
mod world;

pub use denied::{configuration, link_denied};
pub use link::{configured, link, provides};
pub use log_budget::LogBudget;
pub use network::Network;
pub use outbound::{Inside, OUTBOUND_BYTES_MAX, Outbound, OutboundView, Part, Sent};
pub use output::{LogLine, LogSender, LogStream};
pub use world::{Access, Directory, Input, Output, World};
