//! Key-value stores for guests: `fermyon:spin/key-value`, `fermyon:spin/key-value@2.0.0`, `wasi:keyvalue@0.2.0-draft2`
//! and `spin:key-value@3.0.0` over one embedded store, or over Redis.
//!
//! A guest opens a store by label. A label its manifest does not name is `access-denied`, one that
//! nobody defined `no-such-store`. All of these interfaces see the same keys.

mod redis;
mod spin1;
mod spin2;
mod spin3;
mod view;
mod wasi;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest};
use tombolo_egress::{Egress, tls};
use tombolo_model::{AppName, Component, Configuration, KeyValueStore};
use tombolo_redis::{Address, Connector, Pool};
use tombolo_store::{KeyValue, Namespace, StoreError};
use wasmtime::component::{HasData, Linker};

pub use view::View;
use view::{Embedded, Host, Label, Place, Stores};

/// The stores a node has, each a file of the embedded store or a database of a Redis server.
///
/// A file is opened, and made, for the first component that was granted a store in it: an app that keeps
/// nothing leaves nothing on the disk.
pub struct Kv {
    stores: BTreeMap<String, KeyValueStore>,
    open: Mutex<HashMap<PathBuf, KeyValue>>,
    /// Connections to Redis servers.
    pools: Mutex<HashMap<Address, Arc<Pool>>>,
    /// Bytes in each file.
    bytes_max: Arc<AtomicU64>,
    /// Whom Redis servers are trusted to be.
    tls: Arc<tls::Config>,
}

/// Connections to one Redis server at once, for all apps that have a store there; one more waits.
const CONNECTIONS_MAX: usize = 32;

/// The label of the store every app has.
pub const DEFAULT_LABEL: &str = "default";

/// No stores.
impl Default for Kv {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Kv {
    /// The stores of these labels. In a file they are apart for each app; a database of Redis is one store.
    pub fn new(stores: BTreeMap<String, KeyValueStore>) -> Self {
        let bytes_max = Arc::new(AtomicU64::new(u64::MAX));
        let tls = Arc::clone(&tls::PUBLIC);
        Self { stores, open: Mutex::default(), pools: Mutex::default(), bytes_max, tls }
    }

    /// The same, whose files each grow to so many bytes at most. The bound may be set anew at any time.
    #[must_use]
    pub fn bounded(self, bytes_max: Arc<AtomicU64>) -> Self {
        Self { bytes_max, ..self }
    }

    /// The store that `app` knows as `label` and what is the app's in it, if it is in a file.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn own(&self, app: &AppName, label: &str) -> Result<Option<(KeyValue, Namespace)>, StoreError> {
        match self.stores.get(label) {
            Some(KeyValueStore::File(path)) => {
                let store = self.store(path)?;
                let namespace = store.namespace(app, label);
                Ok(Some((store, namespace)))
            }
            Some(KeyValueStore::Redis(_)) | None => Ok(None),
        }
    }

    /// The same, whose Redis servers are those that `tls` trusts.
    #[must_use]
    pub fn trusting(self, tls: Arc<tls::Config>) -> Self {
        Self { tls, ..self }
    }

    fn place(&self, app: &AppName, label: &str, store: &KeyValueStore) -> Result<Place, String> {
        match store {
            KeyValueStore::File(path) => {
                let store = self.store(path).map_err(|error| chain(&error))?;
                let namespace = store.namespace(app, label);
                Ok(Place::Embedded(Embedded { store, namespace }))
            }
            KeyValueStore::Redis(url) => {
                // It may hold a password, so it is not repeated.
                let address =
                    Address::parse(url).map_err(|error| format!("the `url` of `{label}` is {error}"))?;
                let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
                let new = || Pool::new(Connector::operator(CONNECTIONS_MAX, Arc::clone(&self.tls)));
                let pool = Arc::clone(pools.entry(address.clone()).or_insert_with(new));
                Ok(Place::Redis(pool, Arc::new(address)))
            }
        }
    }

    fn store(&self, path: &Path) -> Result<KeyValue, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(path) {
            return Ok(store.clone());
        }
        let store = KeyValue::open(path)?.bounded(Arc::clone(&self.bytes_max));
        open.insert(path.to_owned(), store.clone());
        Ok(store)
    }
}

/// What the interfaces borrow from a guest.
struct HasKv;

impl HasData for HasKv {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasKv {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let (view, table, memory) = guest.view_and_memory::<View>(access);
        Host { view, table, memory }
    }
}

impl Capability for Kv {
    type Granted = Arc<Stores>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &[
            "fermyon:spin/key-value",
            "fermyon:spin/key-value@2.0.0",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:keyvalue/atomics@0.2.0-draft2",
            "wasi:keyvalue/batch@0.2.0-draft2",
            "spin:key-value/key-value@3.0.0",
        ];
        match abi {
            Abi::Sync => &all[..5],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::KeyValueStores
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasKv>();
        spin1::key_value::add_to_linker_instance::<_, HasKv>(
            &mut access.instance(linker, "fermyon:spin/key-value")?,
            host,
        )?;
        spin2::key_value::add_to_linker_instance::<_, HasKv>(
            &mut access.instance(linker, "fermyon:spin/key-value@2.0.0")?,
            host,
        )?;
        wasi::store::add_to_linker_instance::<_, HasKv>(
            &mut access.instance(linker, "wasi:keyvalue/store@0.2.0-draft2")?,
            host,
        )?;
        wasi::atomics::add_to_linker_instance::<_, HasKv>(
            &mut access.instance(linker, "wasi:keyvalue/atomics@0.2.0-draft2")?,
            host,
        )?;
        wasi::batch::add_to_linker_instance::<_, HasKv>(
            &mut access.instance(linker, "wasi:keyvalue/batch@0.2.0-draft2")?,
            host,
        )?;
        if abi == Abi::Async {
            spin3::key_value::add_to_linker_instance::<_, HasKv>(
                &mut access.instance(linker, "spin:key-value/key-value@3.0.0")?,
                host,
            )?;
        }
        Ok(())
    }

    fn grant(
        &self,
        app: &AppName,
        component: &Component,
        _: &Arc<Egress>,
    ) -> Result<Self::Granted, GrantError> {
        let refuse =
            |reason| GrantError { component: component.id.to_string(), field: "key_value_stores", reason };
        let label = |label: &String| {
            let store = self.stores.get(label).ok_or_else(|| {
                let known: Vec<String> = self.stores.keys().map(|known| format!("`{known}`")).collect();
                refuse(format!("there is no store `{label}`, expected {}", known.join(" or ")))
            })?;
            let place = self.place(app, label, store).map_err(refuse)?;
            Ok(Label { name: label.clone(), place })
        };
        let granted = component.key_value_stores.iter().map(label).collect::<Result<_, _>>()?;
        Ok(Arc::new(Stores { granted, labels: self.stores.keys().cloned().collect() }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
