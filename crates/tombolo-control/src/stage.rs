//! What serves.

use std::io;
use std::path::Path;

use tombolo_api::TenantUsage;
use tombolo_api::metrics::Metrics;
use tombolo_model::{App, AppKey, Digest, Quotas, TenantName};
use tombolo_store::{KeyValue, Namespace, StoreError};

use crate::feed::Feed;

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

    /// From now on nothing that apps keep grows, whatever they may; or again as far as they may. Removing goes on.
    fn hold_back(&self, is_held: bool);

    /// What a tenant uses now.
    fn usage(&self, tenant: &TenantName) -> TenantUsage;

    /// From now on exactly this is served. Requests under way end as they began.
    fn publish(&self, served: &[Served<Self::Prepared>]);

    /// The last lines that an app printed, and those that come if they are asked for.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or nobody else may follow.
    fn printed(&self, key: &AppKey, wanted: Wanted) -> Result<Printed, PrintedError>;

    /// A key-value store of an app by its label, and what is the app's in it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    fn key_value(&self, key: &AppKey, label: &str) -> Result<Option<(KeyValue, Namespace)>, StoreError>;

    /// What was counted until now, of these apps, of these tenants and of the whole.
    fn measure(&self, apps: &dyn Fn(&AppKey) -> bool, tenants: &dyn Fn(&TenantName) -> bool) -> Metrics;

    /// What an app keeps in stores of this node, in words for people; empty if it keeps nothing.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    fn kept(&self, key: &AppKey) -> Result<Vec<String>, StoreError>;

    /// There is no such app any more: what it kept and what it printed is removed, and who follows it is let go.
    /// Called where it may wait for the disk; may be called again.
    ///
    /// # Errors
    ///
    /// If the disk refuses; what was removed until then stays removed.
    fn forget(&self, key: &AppKey) -> Result<(), StoreError>;
}

/// Which lines of an app are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How many of the last.
    pub lines_max: usize,
    /// Whether those that come are asked for too.
    pub follow: bool,
    /// Whether an admin asks, for whom places are kept.
    pub by_admin: bool,
}

/// What an app printed.
pub struct Printed {
    /// The lines, each a [`LogLine`](tombolo_api::LogLine) as JSON with its end.
    pub lines: Vec<u8>,
    /// Those that come, if they were asked for: not one is between these and those.
    pub feed: Option<Feed>,
}

/// Why it is not told what an app printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintedError {
    /// As many follow as may.
    #[error("as many follow what apps print as may")]
    Busy,
    /// The disk refuses.
    #[error("cannot read what the app printed")]
    Read(#[from] io::Error),
}

/// A release that is to be served.
pub struct Candidate<'a> {
    /// Whose.
    pub key: &'a AppKey,
    /// Its name.
    pub release: Digest,
    /// The app, with paths relative to `tree`.
    pub app: &'a App,
    /// The folder of its files.
    pub tree: &'a Path,
    /// Whether its code waits for the first request: one of many will wait for long.
    pub is_one_of_many: bool,
    /// Whether its variables have the values that the app is read with. Else it is only looked at for all that is wrong.
    pub has_all_values: bool,
    /// Whether it is being sent now. Else it was accepted before.
    pub is_new: bool,
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
    /// Others at hosts of their own.
    pub previews: Vec<(String, P)>,
}
