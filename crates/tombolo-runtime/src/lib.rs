//! Prepare, instantiate and run guests.
//!
//! A [`Runtime`] is alone in configuring the engine. [`Runtime::prepare`] turns a file into a
//! [`Prepared`] component, compiled once and cached; a [`Service`] answers HTTP requests with a
//! fresh instance each; [`command`] and [`invoke`] run programs and functions.

mod artefact;
mod at_work;
mod cgi;
pub mod command;
mod company;
pub mod compile;
pub mod compose;
mod engine;
mod exchange;
pub mod inspect;
mod instance;
pub mod invoke;
mod lane;
mod messages;
mod prepare;
pub mod priority;
mod service;
mod shares;
mod survey;
mod ticker;
mod totals;
mod trigger;

pub use compile::Compiler;
pub use compose::Parts;
pub use engine::{Allocation, EngineConfig, Interruption, Pool};
pub use exchange::{BodyError, ResponseBody};
pub use messages::{Delivery, Placed};
pub use prepare::{Load, Origin, PrepareError, Prepared, Runtime};
pub use service::{Caller, Service, ServiceConfig, ServiceError};
pub use survey::{Survey, survey};
/// What requests of a guest to its own app go through, and what they carry.
pub use tombolo_cap_wasi::{Inside, Part as InsidePart, Sent};
/// What a tenant has together.
pub use tombolo_capability::{Allowance, Exhausted};
/// What one request used.
pub use tombolo_capability::{Meter, Usage};
pub use totals::{Sum, Totals};
pub use trigger::{NotCalled, Trigger};
/// Why the body of a request could not be read; what a guest is told comes from it.
pub use wasmtime_wasi_http::Error as RequestBodyError;
/// A body on its way to or from a guest.
pub use wasmtime_wasi_http::WasiBody;
