//! What a platform's control plane hands releases to.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tombolo_cap_kv::Kv;
use tombolo_cap_llm::Llm;
use tombolo_cap_sqlite::Sqlite;
use tombolo_cap_variables::Variables;
use tombolo_cap_wasi::Access;
use tombolo_capability::AnyCapability;
use tombolo_control::metrics::{Metrics, TenantMetrics};
use tombolo_control::{Candidate, Printed, PrintedError, Served, Stage, TenantUsage, Wanted as WantedLines};
use tombolo_egress::Common;
use tombolo_gateway::{Gateway, Published};
use tombolo_model::networking::{BlockedNetworks, Networking};
use tombolo_model::site::{Site, Sites, Split};
use tombolo_model::{AppKey, AppName, Component, Digest, KeyValueStore, LlmCompute, Quotas, TenantName};
use tombolo_runtime::{Allowance, Load, Runtime};
use tombolo_store::{KeyValue, Namespace, StoreError};

use crate::files::Originals;
use crate::limiters::Limiters;
use crate::load::{Loaded, Loader};
use crate::load_error::LoadError;
use crate::logs::{Journals, Logs};
use crate::measure::Measures;
use crate::messages::{Subscriptions, Wanted};
use crate::node::{KEY_VALUE_FILE, SQLITE_FOLDER, capabilities};
use crate::trust::Trust;

/// The apps of all tenants on one engine, behind one gateway.
pub(crate) struct Apps {
    pub(crate) runtime: Runtime,
    pub(crate) gateway: Gateway,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) journals: Arc<Journals>,
    pub(crate) measures: Measures,
    pub(crate) limiters: Limiters,
    /// Where no connection of any of them goes, and how they are encrypted.
    pub(crate) blocked: BlockedNetworks,
    pub(crate) trust: Trust,
    /// What a tenant may use for which nothing else was said.
    pub(crate) quotas: Quotas,
    pub(crate) llm: Option<LlmCompute>,
    /// Where tenants keep their data, a folder for each.
    pub(crate) folder: PathBuf,
    pub(crate) tenants: Mutex<BTreeMap<TenantName, Arc<Tenant>>>,
    /// Whether what they keep grows no more, as the disk is nearly full.
    pub(crate) is_held_back: AtomicBool,
}

/// A release that can be served.
pub(crate) struct Standing {
    pub(crate) release: Digest,
    pub(crate) loaded: Loaded,
}

/// What the apps of one tenant share.
pub(crate) struct Tenant {
    /// Where it keeps its data.
    state: PathBuf,
    key_value: Arc<Kv>,
    sqlite: Arc<Sqlite>,
    capabilities: Vec<Arc<dyn AnyCapability>>,
    allowance: Arc<Allowance>,
    /// What holds for its connections to other hosts: made anew with another bound, for releases from then on.
    common: Mutex<(Option<u32>, Arc<Common>)>,
    /// What holds for each of its files, and what its quotas say.
    store_bytes_max: Arc<AtomicU64>,
    store_quota: AtomicU64,
}

impl Tenant {
    fn new(state: PathBuf, quotas: &Quotas, blocked: &BlockedNetworks, llm: Llm) -> Self {
        let store_quota = quotas.store_bytes_max().unwrap_or(u64::MAX);
        let store_bytes_max = Arc::new(AtomicU64::new(store_quota));
        let file = KeyValueStore::File(state.join(KEY_VALUE_FILE));
        let stores = BTreeMap::from([(tombolo_cap_kv::DEFAULT_LABEL.to_owned(), file)]);
        let key_value = Arc::new(Kv::new(stores).bounded(Arc::clone(&store_bytes_max)));
        let sqlite =
            Sqlite::new(state.join(SQLITE_FOLDER), BTreeMap::new()).bounded(Arc::clone(&store_bytes_max));
        let sqlite = Arc::new(sqlite);
        let connections_max = quotas.outbound_connections_max;
        Self {
            capabilities: capabilities(
                Arc::clone(&key_value),
                Arc::clone(&sqlite),
                Variables::new(Vec::new()),
                llm,
            ),
            key_value,
            sqlite,
            state,
            allowance: Allowance::new(quotas),
            common: Mutex::new((connections_max, common(connections_max, blocked))),
            store_bytes_max,
            store_quota: AtomicU64::new(store_quota),
        }
    }

    fn allow(&self, quotas: &Quotas, blocked: &BlockedNetworks) {
        self.allowance.set(quotas);
        self.store_quota.store(quotas.store_bytes_max().unwrap_or(u64::MAX), Ordering::Relaxed);
        let mut known = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != quotas.outbound_connections_max {
            *known = (quotas.outbound_connections_max, common(quotas.outbound_connections_max, blocked));
        }
    }

    /// Has what its apps keep grow as far as it may, or no further.
    fn hold_back(&self, is_held: bool) {
        let bytes_max = if is_held { 0 } else { self.store_quota.load(Ordering::Relaxed) };
        self.store_bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// The key-value store of an app, if there is a file: to look is no reason to make one.
    fn own(&self, app: &AppName) -> Result<Option<KeyValue>, StoreError> {
        if !self.state.join(KEY_VALUE_FILE).exists() {
            return Ok(None);
        }
        let own = self.key_value.own(app, tombolo_cap_kv::DEFAULT_LABEL)?;
        Ok(own.map(|(store, _)| store))
    }

    /// What an app keeps, in words.
    fn kept(&self, app: &AppName) -> Result<Vec<String>, StoreError> {
        let mut kept = Vec::new();
        if self.own(app)?.map(|store| store.has_keys(app)).transpose()?.unwrap_or(false) {
            kept.push("it keeps keys in a key-value store".to_owned());
        }
        let databases = self.sqlite.kept(app).map_err(|source| self.refused("look for", source))?;
        let told = |(label, bytes): (String, u64)| {
            format!("it keeps the SQLite database `{label}`, {} kB", bytes.div_ceil(1000))
        };
        kept.extend(databases.into_iter().map(told));
        Ok(kept)
    }

    /// Removes what an app keeps.
    fn forget(&self, app: &AppName) -> Result<(), StoreError> {
        if let Some(store) = self.own(app)? {
            Handle::current().block_on(store.forget(app))?;
        }
        self.sqlite.forget(app).map_err(|source| self.refused("remove", source))
    }

    fn refused(&self, step: &'static str, source: io::Error) -> StoreError {
        StoreError::Io { step, path: self.state.join(SQLITE_FOLDER), source }
    }

    fn common(&self) -> Arc<Common> {
        Arc::clone(&self.common.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn usage(&self) -> TenantUsage {
        TenantUsage {
            requests: self.allowance.requests(),
            memory_bytes: self.allowance.memory_bytes(),
            cpu_ms: u64::try_from(self.allowance.cpu().as_millis()).unwrap_or(u64::MAX),
            store_bytes: bytes_in(&self.state.join(KEY_VALUE_FILE))
                + bytes_in(&self.state.join(SQLITE_FOLDER)),
            apps: 0,
            releases_bytes: 0,
        }
    }
}

fn common(connections_max: Option<u32>, blocked: &BlockedNetworks) -> Arc<Common> {
    Common::new(&Networking { blocked: blocked.clone(), connections_max, ..Networking::default() })
}

/// Bytes of a file, or of all files in a folder; what cannot be looked at, or goes meanwhile, has none.
fn bytes_in(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_in(&entry.path())).sum()
}

impl Apps {
    fn tenant(&self, name: &TenantName) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let folder = self.folder.join(name.as_str());
            let tenant = Tenant::new(folder, &self.quotas, &self.blocked, Llm::new(self.llm.clone()));
            tenant.hold_back(self.is_held_back.load(Ordering::Relaxed));
            Arc::new(tenant)
        };
        Arc::clone(tenants.entry(name.clone()).or_insert_with(new))
    }
}

impl Stage for Apps {
    type Prepared = Arc<Standing>;

    fn prepare(&self, candidate: Candidate<'_>) -> Result<Self::Prepared, Vec<String>> {
        let Candidate { key, release, app, tree, is_one_of_many, has_all_values, is_new } = candidate;
        let tenant = self.tenant(&key.tenant);
        // What it keeps is its own by the name that the node gave it, which no other app has.
        let app = tombolo_model::App { name: key.app.as_app_name(), ..app.clone() };
        let loader = Loader {
            place: Some(&key.to_string()),
            runtime: &self.runtime,
            capabilities: &tenant.capabilities,
            gateway: &self.gateway,
            root: tree,
            state: &tenant.state,
            environment: &BTreeMap::new(),
            files: Access::Read,
            originals: Originals::Settled,
            isolation: None,
            common: &tenant.common(),
            trust: &self.trust,
            allowance: Some(Arc::clone(&tenant.allowance)),
            logs: self.logs.sender(),
            counts: self.measures.counts(key, release),
            limiters: &self.limiters,
            load: if is_one_of_many { Load::Later } else { Load::Now },
        };
        // Who deploys an app could not name a server, and each call would fail. What is served goes on.
        let asks_in_vain =
            |component: &&Component| is_new && self.llm.is_none() && !component.ai_models.is_empty();
        let no_models = app.components.values().filter(asks_in_vain).map(|component| {
            let id = &component.id;
            format!("component `{id}`: ai_models: this node has no language models: its operator names a server, `[llm_compute]`")
        });
        let mut reasons: Vec<String> = no_models.collect();
        match loader.load(&app) {
            Ok(loaded) if reasons.is_empty() => Ok(Arc::new(Standing { release, loaded })),
            loaded => {
                let error = loaded.err();
                let each = error.iter().flat_map(LoadError::each);
                let each = each.filter(|(error, _)| has_all_values || !error.is_of_values());
                // Where the node keeps things is nothing to whoever deploys.
                reasons.extend(each.map(|(_, text)| text.replace(&format!("{}/", tree.display()), "")));
                Err(reasons)
            }
        }
    }

    fn allow(&self, tenant: &TenantName, quotas: &Quotas) {
        let tenant = self.tenant(tenant);
        tenant.allow(quotas, &self.blocked);
        tenant.hold_back(self.is_held_back.load(Ordering::Relaxed));
    }

    fn hold_back(&self, is_held: bool) {
        // Locked, so that a tenant that comes meanwhile is held back as well.
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_held_back.store(is_held, Ordering::Relaxed);
        tenants.values().for_each(|tenant| tenant.hold_back(is_held));
    }

    fn usage(&self, tenant: &TenantName) -> TenantUsage {
        let known = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        known.map(|tenant| tenant.usage()).unwrap_or_default()
    }

    fn publish(&self, served: &[Served<Self::Prepared>]) {
        let mut sites = Vec::new();
        let mut services = Vec::new();
        let mut wanted = Wanted::new();
        let mut measured = Vec::new();
        for Served { key, hosts, main, split, previews } in served {
            let mut salt = DefaultHasher::new();
            key.hash(&mut salt);
            let site = Site {
                main: Arc::clone(&main.loaded.routes),
                split: split.as_ref().map(|(percent, other)| Split {
                    percent: *percent,
                    salt: salt.finish(),
                    target: Arc::clone(&other.loaded.routes),
                }),
            };
            sites.extend(hosts.iter().map(|host| (host.as_str().into(), site.clone())));
            let shown = |(host, shown): &(String, Self::Prepared)| {
                let site = Site { main: Arc::clone(&shown.loaded.routes), split: None };
                (host.as_str().into(), site)
            };
            sites.extend(previews.iter().map(shown));
            let others = split.iter().map(|(_, other)| other).chain(previews.iter().map(|(_, shown)| shown));
            for standing in std::iter::once(main).chain(others) {
                services.extend(standing.loaded.services.iter().cloned());
                measured.push((key.clone(), Arc::clone(standing)));
            }
            // A message is nobody's client: the release that most get takes them all.
            let own = main.loaded.wanted.iter().map(|(source, taken)| (source.clone(), taken.clone()));
            wanted.extend(own);
        }
        self.gateway.publish(Published { sites: Sites::new(sites), services });
        self.subscriptions.replace(wanted);
        self.measures.serve(measured);
    }

    fn key_value(&self, key: &AppKey, label: &str) -> Result<Option<(KeyValue, Namespace)>, StoreError> {
        // By the name that its guests are known by there: see `prepare`.
        self.tenant(&key.tenant).key_value.own(&key.app.as_app_name(), label)
    }

    fn measure(&self, apps: &dyn Fn(&AppKey) -> bool, tenants: &dyn Fn(&TenantName) -> bool) -> Metrics {
        let known = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let wanted = known.into_iter().filter(|(name, _)| tenants(name));
        let tenants = wanted.map(|(name, tenant)| {
            let TenantUsage { requests, memory_bytes, cpu_ms, store_bytes, .. } = tenant.usage();
            TenantMetrics { tenant: name, in_flight: requests.into(), memory_bytes, cpu_ms, store_bytes }
        });
        self.measures.measure(&self.gateway, &self.runtime, apps, tenants.collect())
    }

    fn printed(&self, key: &AppKey, wanted: WantedLines) -> Result<Printed, PrintedError> {
        self.journals.printed(key, wanted)
    }

    fn kept(&self, key: &AppKey) -> Result<Vec<String>, StoreError> {
        self.tenant(&key.tenant).kept(&key.app.as_app_name())
    }

    fn forget(&self, key: &AppKey) -> Result<(), StoreError> {
        self.tenant(&key.tenant).forget(&key.app.as_app_name())?;
        self.journals.forget(key);
        Ok(())
    }
}
