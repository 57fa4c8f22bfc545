//! What a platform's control plane hands releases to.

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tombolo_cap_kv::Kv;
use tombolo_cap_llm::Llm;
use tombolo_cap_sqlite::Sqlite;
use tombolo_cap_variables::Variables;
use tombolo_capability::AnyCapability;
use tombolo_control::{Candidate, Served, Stage};
use tombolo_egress::Common;
use tombolo_gateway::{Gateway, Published};
use tombolo_model::site::{Site, Sites, Split};
use tombolo_model::{KeyValueStore, TenantName};
use tombolo_runtime::{Load, Runtime};

use crate::load::{Loaded, Loader};
use crate::logs::Logs;
use crate::messages::{Subscriptions, Wanted};
use crate::node::{KEY_VALUE_FILE, SQLITE_FOLDER, capabilities};
use crate::trust::Trust;

/// The apps of all tenants on one engine, behind one gateway.
pub(crate) struct Apps {
    pub(crate) runtime: Runtime,
    pub(crate) gateway: Gateway,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) logs: Arc<Logs>,
    /// What holds for connections of all of them, and how they are encrypted.
    pub(crate) common: Arc<Common>,
    pub(crate) trust: Trust,
    /// Where tenants keep their data, a folder for each.
    pub(crate) folder: PathBuf,
    pub(crate) tenants: Mutex<BTreeMap<TenantName, Arc<Tenant>>>,
}

/// What the apps of one tenant share.
pub(crate) struct Tenant {
    /// Where it keeps its data.
    state: PathBuf,
    capabilities: Vec<Arc<dyn AnyCapability>>,
}

impl Tenant {
    fn new(state: PathBuf) -> Self {
        let key_value = KeyValueStore::File(state.join(KEY_VALUE_FILE));
        let stores = BTreeMap::from([(tombolo_cap_kv::DEFAULT_LABEL.to_owned(), key_value)]);
        let sqlite = Sqlite::new(state.join(SQLITE_FOLDER), BTreeMap::new());
        Self {
            capabilities: capabilities(Kv::new(stores), sqlite, Variables::new(Vec::new()), Llm::new(None)),
            state,
        }
    }
}

impl Apps {
    fn tenant(&self, name: &TenantName) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Tenant::new(self.folder.join(name.as_str())));
        Arc::clone(tenants.entry(name.clone()).or_insert_with(new))
    }
}

impl Stage for Apps {
    type Prepared = Arc<Loaded>;

    fn prepare(&self, candidate: Candidate<'_>) -> Result<Self::Prepared, Vec<String>> {
        let Candidate { key, app, tree, is_one_of_many } = candidate;
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
            isolation: None,
            common: &self.common,
            trust: &self.trust,
            logs: self.logs.sender(),
            load: if is_one_of_many { Load::Later } else { Load::Now },
        };
        loader.load(&app).map(Arc::new).map_err(|error| {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text += &format!(": {error}");
                cause = error.source();
            }
            // Where the node keeps things is nothing to whoever deploys.
            vec![text.replace(&format!("{}/", tree.display()), "")]
        })
    }

    fn publish(&self, served: &[Served<Self::Prepared>]) {
        let mut sites = Vec::new();
        let mut services = Vec::new();
        let mut wanted = Wanted::new();
        for Served { key, hosts, main, split } in served {
            let mut salt = DefaultHasher::new();
            key.hash(&mut salt);
            let site = Site {
                main: Arc::clone(&main.routes),
                split: split.as_ref().map(|(percent, other)| Split {
                    percent: *percent,
                    salt: salt.finish(),
                    target: Arc::clone(&other.routes),
                }),
            };
            sites.extend(hosts.iter().map(|host| (host.as_str().into(), site.clone())));
            for loaded in std::iter::once(main).chain(split.iter().map(|(_, other)| other)) {
                services.extend(loaded.services.iter().cloned());
            }
            // A message is nobody's client: the release that most get takes them all.
            let own = main.wanted.iter().map(|(source, taken)| (source.clone(), taken.clone()));
            wanted.extend(own);
        }
        self.gateway.publish(Published { sites: Sites::new(sites), services });
        self.subscriptions.replace(wanted);
    }
}
