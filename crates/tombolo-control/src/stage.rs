//! What serves.

use std::path::Path;

use tombolo_api::TenantUsage;
use tombolo_model::{App, AppKey, Quotas, TenantName};

/// What serves apps: the data plane, as far as control knows it.
pub trait Stage: Send + Sync + 'static {
    /// A release that can be served at once.
    type Prepared: Clone + Send + Sync + 'static;

    /// Compiles what is not compiled and makes everything that serving needs. Takes as long as that does.
    ///
    /// # Errors
    ///
    /// Every reason why it cannot be served.
    fn prepare(&self, candidate: Candidate<'_>) -> Result<Self::Prepared, Vec<String>>;

    /// From now on this is what a tenant may use.
    fn allow(&self, tenant: &TenantName, quotas: &Quotas);

    /// What a tenant uses now.
    fn usage(&self, tenant: &TenantName) -> TenantUsage;

    /// From now on exactly this is served. Requests under way end as they began.
    fn publish(&self, served: &[Served<Self::Prepared>]);
}

/// A release that is to be served.
pub struct Candidate<'a> {
    /// Whose.
    pub key: &'a AppKey,
    /// The app, with paths relative to `tree`.
    pub app: &'a App,
    /// The folder of its files.
    pub tree: &'a Path,
    /// Whether its code waits for the first request: one of many will wait for long.
    pub is_one_of_many: bool,
}

/// What an app serves.
#[derive(Clone)]
pub struct Served<P> {
    /// Which app.
    pub key: AppKey,
    /// The hosts it answers at, without ports.
    pub hosts: Vec<String>,
    /// Its release.
    pub main: P,
    /// Another one for so many of a hundred clients.
    pub split: Option<(u8, P)>,
}
