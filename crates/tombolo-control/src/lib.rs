//! The control plane of a node: what was deployed, what is served, and who may change it.
//!
//! Level-triggered: each step states what should be and may be repeated. Blobs come first, then the release that
//! names them, which is checked and prepared; then an activation, which says the generation that it saw. The
//! commit of that activation in the [`Registry`](tombolo_store::Registry) is the moment of truth: before it nothing
//! has changed, after it a crash changes nothing either. What is served is handed to a [`Stage`], which is the
//! only thing this crate knows of the data plane.
//!
//! `control` does it, `http` lets it be asked for, `access` says who may. What goes on is told to those who follow it
//! through a `feed`.

mod access;
mod audit;
mod check;
mod control;
mod events;
mod exposition;
mod feed;
mod http;
mod openapi;
mod reached;
mod refuse;
mod seal;
mod stage;

#[doc(hidden)]
pub use access::bearer;
pub use check::check;
pub use control::{Control, ControlConfig, ControlError};
pub use feed::{Feed, Feeder, Told, feed};
pub use http::{line, router};
pub use openapi::document;
pub use reached::Reached;
pub use stage::{Candidate, Printed, PrintedError, Served, Stage, Wanted};
/// What a stage says of a tenant.
pub use tombolo_api::TenantUsage;
pub use tombolo_api::{LogLine, LogStream, metrics};
