//! What a control plane does, without HTTP.

mod adding;
mod oversee;
mod previews;
mod ready;
mod tenants;
mod uploads;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tombolo_api::{self as api, Problem};
use tombolo_model::{AppKey, Digest, Quotas, TenantName};
use tombolo_store::records::{
    Activation, AppRecord, EventKind, ReleaseRecord, Scope, SplitRecord, TokenRecord,
};
use tombolo_store::registry::Activated;
use tombolo_store::{Blobs, Registry, StoreError};

use crate::access::{Principal, new_token, now, token_digest};
use crate::check::check_key;
use crate::events::Followers;
use crate::reached::Reached;
use crate::refuse;
use crate::seal::Seal;
use crate::stage::{Served, Stage};

use oversee::failed;
use ready::{Ready, Values};
use uploads::Uploads;

/// What a control plane is started with.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// Where it keeps what it knows.
    pub folder: PathBuf,
    /// What the hosts of apps end in: an app answers at `<app>.<domain>`.
    pub domain: String,
    /// How clients reach apps.
    pub reached: Reached,
    /// Releases of an app that are kept, besides what is served.
    pub releases_max: usize,
    /// What a tenant may use for which nothing else was said.
    pub quotas: Quotas,
    /// How long files that no release names are kept.
    pub uploads_kept: Duration,
}

/// Why a control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Its disk refuses, or somebody else's data is there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node's key cannot be read.
    #[error("cannot read the node's key `{}`", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Starting it failed.
    #[error("the control plane did not start: {reason}")]
    Start {
        /// Why.
        reason: String,
    },
}

/// The node's key, in its folder.
pub(crate) const KEY_FILE: &str = "node.key";
/// What it knows, there as well.
pub(crate) const REGISTRY_FILE: &str = "registry.redb";
/// Apps beyond which code waits for its first request.
const LOADED_MAX: usize = 32;

/// A control plane.
pub struct Control<S: Stage> {
    config: ControlConfig,
    /// What was said last.
    releases_max: AtomicUsize,
    registry: Registry,
    blobs: Blobs,
    seal: Seal,
    stage: S,
    /// What is served. Held while an activation is committed and published, so that what is published last is
    /// what was committed last.
    served: Mutex<BTreeMap<AppKey, Kept<S::Prepared>>>,
    uploads: Uploads,
    /// Read while something is there that nobody is known to need yet: nothing is swept meanwhile.
    sweeping: RwLock<()>,
    /// When somebody without a good token was last written down.
    stranger: Mutex<Option<Instant>>,
    followers: Mutex<Followers>,
    /// Whether the node takes no more changes, as it stops.
    is_draining: AtomicBool,
}

/// What an app serves, and the releases it is of.
struct Kept<P> {
    releases: Vec<Ready<P>>,
    served: Served<P>,
}

/// What was asked for, or why not.
pub(crate) type Answer<T> = Result<T, Problem>;

impl<S: Stage> Control<S> {
    /// The control plane of a folder. Every app is prepared and published as it was served when the last
    /// process ended; one that cannot be is left out, and said.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used.
    pub fn open(config: ControlConfig, stage: S) -> Result<Self, ControlError> {
        // Nothing is written to a folder that cannot be used.
        check_key(&config.folder)?;
        let registry = Registry::open(&config.folder.join(REGISTRY_FILE))?;
        let blobs = Blobs::open(&config.folder.join("releases"))?;
        let path = config.folder.join(KEY_FILE);
        let seal = Seal::open(&path).map_err(|source| ControlError::Key { path, source })?;
        let control = Self {
            releases_max: AtomicUsize::new(config.releases_max),
            uploads: Uploads::new(config.uploads_kept),
            config,
            registry,
            blobs,
            seal,
            stage,
            served: Mutex::default(),
            sweeping: RwLock::default(),
            stranger: Mutex::default(),
            followers: Mutex::default(),
            is_draining: AtomicBool::new(false),
        };
        control.allow_all()?;
        control.restore()?;
        if let Err(error) = control.sweep() {
            refuse::failed(&error);
        }
        Ok(control)
    }

    /// From its next release on an app has so many kept, besides what is served.
    pub fn keep(&self, releases_max: usize) {
        self.releases_max.store(releases_max, Relaxed);
    }

    fn restore(&self) -> Result<(), StoreError> {
        let apps = self.registry.apps(None)?;
        let many = apps.len() > LOADED_MAX;
        let mut served = self.served();
        for (key, record) in apps {
            let Some(activation) = &record.active else { continue };
            match self.stand_up(&key, &record, activation, many, None, Values::OfNow) {
                Ok(kept) => drop(served.insert(key, kept)),
                Err(problem) => {
                    tracing::error!("{key} is not served: {problem}");
                    self.audit(&failed(&key, activation, &problem));
                }
            }
        }
        self.publish(&served);
        Ok(())
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<AppKey, Kept<S::Prepared>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, served: &BTreeMap<AppKey, Kept<S::Prepared>>) {
        let all: Vec<_> = served.values().map(|kept| kept.served.clone()).collect();
        self.stage.publish(&all);
    }

    /// The first admin's token, if there is no token at all: it is told once.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn first_token(&self) -> Result<Option<String>, StoreError> {
        if self.registry.has_tokens()? {
            return Ok(None);
        }
        let token = new_token();
        let record =
            TokenRecord { name: "first".to_owned(), scope: Scope::Admin, created: now(), expires: None };
        self.registry.add_token(&token_digest(&token), &record)?;
        Ok(Some(token))
    }

    /// Who has this token.
    pub(crate) fn principal(&self, token: &str) -> Answer<Principal> {
        let found = self.registry.token(&token_digest(token)).map_err(|error| refuse::failed(&error))?;
        let good = found.filter(|token| token.is_good(now()));
        good.map(Principal::of).ok_or_else(refuse::unauthorized)
    }

    /// Those of `blobs` that a tenant has yet to send.
    pub(crate) fn missing(&self, tenant: &TenantName, blobs: &[Digest]) -> Answer<Vec<Digest>> {
        let _unswept = self.unswept();
        let not_sent = self.registry.not_sent(tenant, blobs).map_err(|error| refuse::failed(&error))?;
        let not_sent: HashSet<Digest> = not_sent.into_iter().collect();
        let mut missing: Vec<Digest> =
            blobs.iter().filter(|blob| not_sent.contains(blob) || !self.blobs.has(blob)).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        // Whoever asked relies on the others.
        let there = blobs.iter().filter(|blob| missing.binary_search(blob).is_err());
        self.uploads.touch(tenant, there);
        Ok(missing)
    }

    fn hosts(&self, key: &AppKey, record: &AppRecord) -> Vec<String> {
        let own = format!("{}.{}", key.label(), self.config.domain);
        std::iter::once(own).chain(record.domains.iter().cloned()).collect()
    }

    /// Makes a release what an app serves, for all clients or some; also whether that was a rollback.
    pub(crate) fn activate(&self, key: &AppKey, wanted: &api::Activate) -> Answer<(api::App, EventKind)> {
        let failed = |error| refuse::failed(&error);
        if let Some(split) = &wanted.split {
            if !(1..=99).contains(&split.percent) {
                return Err(refuse::bad_request("split.percent: expected 1 to 99"));
            }
            if split.release == wanted.release {
                return Err(refuse::bad_request("split.release: expected another release than `release`"));
            }
        }
        let mut served = self.served();
        let record = self.registry.app(key).map_err(failed)?.ok_or_else(|| no_app(key))?;
        if record.generation != wanted.generation {
            return Err(refuse::overtaken(record.generation));
        }
        let split = wanted.split.as_ref().map(|split| &split.release);
        for digest in std::iter::once(&wanted.release).chain(split) {
            let release = self.registry.release(key, digest).map_err(failed)?;
            let release = release.ok_or_else(|| refuse::not_found(format!("no release {digest}")))?;
            let new = self.new_capabilities(key, Some(&record), &release)?;
            if !new.is_empty() && !wanted.approve {
                let title = "the release may do what the active one may not";
                return Err(refuse::refused(title, new.into_iter().collect()));
            }
        }
        let kind = self.kind_of(key, record.active.as_ref(), &wanted.release)?;
        let split = wanted.split.as_ref();
        let split = split.map(|split| SplitRecord { release: split.release, percent: split.percent });
        let activation = Activation { release: wanted.release, split };
        let many = served.len() > LOADED_MAX;
        let kept = self.stand_up(key, &record, &activation, many, served.get(key), Values::OfNow)?;
        let record = match self.registry.activate(key, wanted.generation, &activation).map_err(failed)? {
            Activated::Done(record) => record,
            Activated::Overtaken(generation) => return Err(refuse::overtaken(generation)),
            Activated::NoRelease => return Err(refuse::not_found("the release was removed meanwhile")),
        };
        served.insert(key.clone(), kept);
        self.publish(&served);
        drop(served);
        Ok((self.app_info(key, record)?, kind))
    }

    /// What a release may do that the active one may not. The first release of an app is approved by sending it.
    fn new_capabilities(
        &self,
        key: &AppKey,
        app: Option<&AppRecord>,
        release: &ReleaseRecord,
    ) -> Answer<BTreeSet<String>> {
        let Some(active) = app.and_then(|app| app.active.as_ref()) else { return Ok(BTreeSet::new()) };
        let mut known = BTreeSet::new();
        let split = active.split.iter().map(|split| &split.release);
        // Where a rollback leads was approved once.
        let previous = app.and_then(|app| app.previous.as_ref());
        for digest in std::iter::once(&active.release).chain(split).chain(previous) {
            let release = self.registry.release(key, digest).map_err(|error| refuse::failed(&error))?;
            known.extend(release.map(|release| release.capabilities).unwrap_or_default());
        }
        Ok(release.capabilities.difference(&known).cloned().collect())
    }

    /// The apps of a tenant.
    pub(crate) fn apps(&self, tenant: &TenantName) -> Answer<Vec<api::App>> {
        let apps = self.registry.apps(Some(tenant)).map_err(|error| refuse::failed(&error))?;
        apps.into_iter().map(|(key, record)| self.app_info(&key, record)).collect()
    }

    /// One app.
    pub(crate) fn app(&self, key: &AppKey) -> Answer<api::App> {
        let record = self.registry.app(key).map_err(|error| refuse::failed(&error))?;
        let record = record.ok_or_else(|| no_app(key))?;
        self.app_info(key, record)
    }

    /// Whether there is such an app, whatever somebody else does to it.
    pub(crate) fn is_app(&self, key: &AppKey) -> Answer<()> {
        let record = self.registry.app(key).map_err(|error| refuse::failed(&error))?;
        record.map(drop).ok_or_else(|| no_app(key))
    }

    /// Serves an app no more, and forgets it with what it keeps, which has to be meant.
    pub(crate) fn remove_app(&self, key: &AppKey, with_data: bool) -> Answer<()> {
        let failed = |error| refuse::failed(&error);
        let mut served = self.served();
        self.is_app(key)?;
        let kept = self.stage.kept(key).map_err(failed)?;
        if !kept.is_empty() && !with_data {
            return Err(refuse::refused("the app keeps data, which goes with it", kept));
        }
        // First from what is served, so that little is written after it was removed; last from the registry, so
        // that who asks again after a crash finishes it.
        let before = served.remove(key);
        self.publish(&served);
        let removed = self.stage.forget(key).and_then(|()| self.registry.remove_app(key));
        if let Err(error) = removed {
            drop(served);
            // Anew, for what it had of its stores until now is refused there.
            self.revive(key);
            let mut served = self.served();
            // Somebody else may have removed it meanwhile.
            let is_there = self.registry.app(key).is_ok_and(|app| app.is_some());
            if let Some(kept) = before.filter(|_| is_there && !served.contains_key(key)) {
                served.insert(key.clone(), kept);
                self.publish(&served);
            }
            return Err(failed(error));
        }
        drop(served);
        self.sweep().map_err(failed)
    }

    /// The releases of an app, the last first.
    pub(crate) fn releases(&self, key: &AppKey) -> Answer<Vec<api::ReleaseInfo>> {
        let failed = |error| refuse::failed(&error);
        let app = self.registry.app(key).map_err(failed)?;
        let app = app.ok_or_else(|| no_app(key))?;
        let releases = self.registry.releases(key).map_err(failed)?;
        releases
            .into_iter()
            .map(|(digest, record)| self.release_info(key, Some(&app), digest, record))
            .collect()
    }

    fn app_info(&self, key: &AppKey, record: AppRecord) -> Answer<api::App> {
        let values = self.values_digest(key)?;
        let active = record.active.as_ref();
        let is_active = |release: Digest| {
            active.is_some_and(|it| {
                it.release == release || it.split.as_ref().is_some_and(|split| split.release == release)
            })
        };
        let is_stale = {
            let served = self.served();
            let ready = served.get(key).into_iter().flat_map(|kept| &kept.releases);
            ready.into_iter().any(|ready| is_active(ready.release) && ready.values != values)
        };
        let addresses = self.hosts(key, &record).into_iter().map(|host| self.config.reached.address(&host));
        Ok(api::App {
            tenant: key.tenant.clone(),
            name: key.app.clone(),
            addresses: addresses.collect(),
            domains: record.domains,
            generation: record.generation,
            active: record.active.map(|active| api::Active {
                release: active.release,
                split: active
                    .split
                    .map(|split| api::Split { release: split.release, percent: split.percent }),
            }),
            is_stale,
            previous: record.previous,
            created: record.created,
        })
    }

    fn release_info(
        &self,
        key: &AppKey,
        app: Option<&AppRecord>,
        digest: Digest,
        record: ReleaseRecord,
    ) -> Answer<api::ReleaseInfo> {
        let new_capabilities = self.new_capabilities(key, app, &record)?;
        let host = app.filter(|app| app.previews.contains(&digest));
        let host = host.and_then(|_| self.preview_host(key, record.number));
        let preview = host.map(|host| self.config.reached.address(&host));
        let ReleaseRecord { number, created, by, version, blobs: _, folders: _, bytes, capabilities } =
            record;
        Ok(api::ReleaseInfo {
            digest,
            number,
            created,
            by,
            version,
            bytes,
            capabilities,
            new_capabilities,
            preview,
        })
    }
}

fn no_app(key: &AppKey) -> Problem {
    refuse::not_found(format!("no app `{}`", key.app))
}

#[cfg(test)]
mod tests;
