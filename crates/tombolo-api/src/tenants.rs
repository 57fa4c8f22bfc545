//! Tenants: what they may use, and what they do.

use serde::{Deserialize, Serialize};
use tombolo_model::{Quotas, TenantName};
use utoipa::ToSchema;

/// One tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TenantInfo {
    /// Its name.
    #[schema(value_type = String)]
    pub name: TenantName,
    /// What it may use. What is not there has no bound of its own.
    #[schema(value_type = SetQuotas)]
    pub quotas: Quotas,
    /// Whether that is what all have for whom nothing else was said.
    pub has_usual_quotas: bool,
    /// What it uses.
    pub usage: TenantUsage,
}

/// What a tenant uses now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantUsage {
    /// Requests and messages under way.
    pub requests: u32,
    /// Bytes of instances, and of what the host holds for them.
    pub memory_bytes: u64,
    /// Milliseconds on a core since the node started.
    pub cpu_ms: u64,
    /// Bytes of the files that its apps keep.
    pub store_bytes: u64,
    /// Bytes on the disk of its releases, and of files that were sent or are on their way and that no release names.
    #[serde(default)]
    pub releases_bytes: u64,
    /// Apps.
    pub apps: u32,
}

/// What a tenant may use. What is not there has no bound of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SetQuotas {
    /// Requests and messages at once.
    pub concurrency_max: Option<u32>,
    /// MiB of all instances that are at work or wait for it, with what the host holds for them.
    pub memory_mib_max: Option<u64>,
    /// Milliseconds on a core in each second; 1000 are one core.
    pub cpu_ms_per_s_max: Option<u32>,
    /// Connections to other hosts, of releases that are prepared from then on.
    pub outbound_connections_max: Option<u32>,
    /// MiB of each file that its apps keep: the key-value store, and each SQLite database.
    pub store_mib_max: Option<u64>,
    /// MiB that its releases take on the disk, with files that were sent and that no release names yet. What another
    /// tenant has too counts in full.
    pub releases_mib_max: Option<u64>,
    /// Apps.
    pub apps_max: Option<u32>,
    /// Releases of each app that are kept, besides what is served.
    pub releases_max: Option<u32>,
}
