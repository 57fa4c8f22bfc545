//! The composition root: from a [`NodeConfig`] to a running node to a drained one.
//!
//! The one place that knows all capabilities by name. A new one is a new crate, and one line in
//! [`Node::start`].

pub mod files;
mod load;
mod logs;
mod messages;
mod node;
mod parts;

pub use load::LoadError;
pub use node::{Node, NodeConfig, NodeError, Server};
/// What guests may do in their files.
pub use tombolo_cap_wasi::Access;
pub use tombolo_gateway::{Drain, GatewayConfig};
pub use tombolo_runtime::{Allocation, Compiler, EngineConfig, Interruption, Pool};
