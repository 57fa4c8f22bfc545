//! What a node counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tombolo_model::{SiteName, TenantName};
use utoipa::ToSchema;

/// What a node counted until now. Who writes it down somewhere else begins with this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// When, in milliseconds since 1970-01-01, UTC.
    pub at_ms: u64,
    /// Longest durations of the classes that durations are counted in, in microseconds; what took longer is in one
    /// more.
    pub bounds_us: Vec<u64>,
    /// Each release that is served, since it was last made ready.
    pub apps: Vec<AppMetrics>,
    /// Each tenant as a whole, for who may look at all that is its.
    pub tenants: Vec<TenantMetrics>,
    /// The node itself, for who may know.
    pub node: Option<NodeMetrics>,
}

/// What was counted of one release of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppMetrics {
    /// Whose it is.
    #[schema(value_type = String)]
    pub tenant: TenantName,
    /// Its name.
    #[schema(value_type = String)]
    pub app: SiteName,
    /// The first digits of the release's digest.
    pub release: String,
    /// Requests of clients that ended, by the class of their status: `2xx`, or `none` where the client left before
    /// there was one.
    pub requests: BTreeMap<String, u64>,
    /// The same by how long they took to their last byte.
    pub durations: Vec<u64>,
    /// How long they took together, in microseconds.
    pub took_us: u64,
    /// Requests of clients under way.
    pub in_flight: u64,
    /// Requests of the app's own components that ended.
    pub inside_requests: u64,
    /// Instances of its components at work.
    pub at_work: u64,
    /// How often a request found its code not in memory, and had it brought there.
    pub loads: u64,
    /// Time of its components on a core, in microseconds.
    pub cpu_us: u64,
    /// The most bytes of memory that one of its instances had, with what the host held for it.
    pub memory_bytes_peak: u64,
    /// Requests of its components to other hosts.
    pub outbound_requests: u64,
    /// Bytes of those, both ways.
    pub outbound_bytes: u64,
}

/// What the apps of one tenant use together. Its quotas are bounds on these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantMetrics {
    /// Its name.
    #[schema(value_type = String)]
    pub tenant: TenantName,
    /// Requests and messages under way.
    pub in_flight: u64,
    /// Bytes of instances, and of what the host holds for them.
    pub memory_bytes: u64,
    /// Time on cores since the node started, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes of the files that its apps keep.
    pub store_bytes: u64,
}

/// What was counted of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeMetrics {
    /// Its version.
    pub version: String,
    /// Requests for hosts that are no app's, or that named none, by the class of their status.
    pub unknown_requests: BTreeMap<String, u64>,
    /// Connections of clients.
    pub connections: u64,
    /// Guests that have more to compute and wait for a core.
    pub waiting: u64,
    /// Bytes of memory, where the system tells.
    pub memory_bytes: Option<u64>,
    /// Open files, sockets among them, where the system tells.
    pub open_files: Option<u64>,
}
