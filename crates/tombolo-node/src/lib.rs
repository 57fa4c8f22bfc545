//! The composition root: from a [`NodeConfig`] to a running node to a drained one.
//!
//! The one place that knows all capabilities by name. A new one is a new crate, and one line in
//! [`node`]. A [`Node`] serves one app, a [`Platform`] those of many tenants.

mod access_log;
pub mod certificates;
pub mod files;
mod limiters;
mod load;
mod load_error;
mod logs;
mod measure;
mod messages;
mod node;
mod office;
mod parts;
mod pem;
mod platform;
mod stage;
mod trust;
mod well_known;

pub use access_log::AccessLogError;
pub use certificates::CertificatesError;
pub use load_error::LoadError;
pub use logs::Lines;
pub use node::{Node, NodeConfig, NodeError, Server};
pub use pem::PemError;
pub use platform::{Dial, Listen, Platform, PlatformConfig, PlatformError, PlatformSettings};
/// What guests may do in their files.
pub use tombolo_cap_wasi::Access;
pub use tombolo_control::{ControlError, check as check_data};
pub use tombolo_gateway::{AccessLog, Drain, GatewayConfig, ServerTls};
pub use tombolo_runtime::{Allocation, Compiler, EngineConfig, Interruption, Pool};
pub use trust::{Trust, TrustError};
