//! The composition root: from a [`NodeConfig`] to a running node to a drained one.
//!
//! The one place that knows all capabilities by name. A new one is a new crate, and one line in
//! [`node`]. A [`Node`] serves one app, a [`Platform`] those of many tenants.

pub mod files;
mod load;
mod logs;
mod measure;
mod messages;
mod node;
mod office;
mod parts;
mod platform;
mod stage;
mod trust;

pub use load::LoadError;
pub use logs::Lines;
pub use node::{Node, NodeConfig, NodeError, Server};
pub use platform::{Platform, PlatformConfig, PlatformError};
/// What guests may do in their files.
pub use tombolo_cap_wasi::Access;
pub use tombolo_gateway::{Drain, GatewayConfig};
pub use tombolo_runtime::{Allocation, Compiler, EngineConfig, Interruption, Pool};
pub use trust::{Trust, TrustError};
