//! What one instance sees of its stores, and the operations all interfaces share.

use std::sync::Arc;

use tombolo_capability::HostMemory;
use tombolo_model::Digest;
use tombolo_redis::{Address, Pool};
use tombolo_store::key_value::{Swap, VALUE_BYTES_MAX};
use tombolo_store::{KeyValue, Namespace};
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::redis::RedisStore;

/// A store a component was granted.
pub(crate) struct Label {
    pub(crate) name: String,
    /// Where it is.
    pub(crate) place: Place,
}

/// Where a store is.
pub(crate) enum Place {
    /// In a file of the embedded store.
    Embedded(Embedded),
    /// In a database of a Redis server.
    Redis(Arc<Pool>, Arc<Address>),
}

/// A store in a file of the embedded store.
#[derive(Clone)]
pub(crate) struct Embedded {
    pub(crate) store: KeyValue,
    pub(crate) namespace: Namespace,
}

/// The stores a component was granted.
pub struct Stores {
    pub(crate) granted: Vec<Label>,
    /// Every label there is, granted or not.
    pub(crate) labels: Vec<String>,
}

/// The stores of one instance.
pub struct View {
    granted: Arc<Stores>,
    open: usize,
}

/// Stores one instance may have open at once, as in Spin.
const OPEN_MAX: usize = 256;
/// Keys one call lists. A store with more has them listed through a cursor or a stream.
pub(crate) const KEYS_MAX: usize = 10_000;
/// Bytes of keys one call lists, so that a list cannot fill the memory of the host.
pub(crate) const KEYS_BYTES_MAX: usize = 16 << 20;

impl View {
    pub(crate) fn new(granted: Arc<Stores>) -> Self {
        Self { granted, open: 0 }
    }
}

/// An open store, as a resource of the guest.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
#[derive(Clone)]
pub struct OpenStore(Open);

/// Calls of an embedded store are done where they are made; those of the other are boxed, so that a call keeps no
/// room for them.
#[derive(Clone)]
enum Open {
    Embedded(Embedded),
    Redis(Box<RedisStore>),
}

/// Some of the keys of a store.
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    /// What the rest begins with, if there is one.
    pub(crate) next: Option<String>,
}

/// What the interfaces' own error types all say.
#[derive(Debug)]
pub(crate) enum Refusal {
    TableFull,
    NoSuchStore,
    AccessDenied,
    Other(String),
}

impl From<tombolo_store::StoreError> for Refusal {
    fn from(error: tombolo_store::StoreError) -> Self {
        // The guest learns what it can act on: a key too long, a value that is no number. What the
        // disk said is the operator's.
        match &error {
            tombolo_store::StoreError::TooLong { .. }
            | tombolo_store::StoreError::Value(_)
            | tombolo_store::StoreError::Full => Self::Other(error.to_string()),
            _ => Self::Other("the key-value store failed".to_owned()),
        }
    }
}

impl From<ResourceTableError> for Refusal {
    fn from(_: ResourceTableError) -> Self {
        Self::TableFull
    }
}

/// An instance's view and its resources, borrowed for one call.
pub(crate) struct Host<'a> {
    pub(crate) view: &'a mut View,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) memory: &'a HostMemory,
}

impl Host<'_> {
    /// Opens the store `label`.
    pub(crate) fn open(&mut self, label: &str) -> Result<Resource<OpenStore>, Refusal> {
        let Stores { granted, labels } = &*self.view.granted;
        let Some(granted) = granted.iter().find(|granted| granted.name == label) else {
            let known = labels.iter().any(|known| known == label);
            return Err(if known { Refusal::AccessDenied } else { Refusal::NoSuchStore });
        };
        if self.view.open == OPEN_MAX {
            return Err(Refusal::TableFull);
        }
        let open = match &granted.place {
            Place::Embedded(embedded) => Open::Embedded(embedded.clone()),
            Place::Redis(pool, address) => {
                let (pool, address) = (Arc::clone(pool), Arc::clone(address));
                Open::Redis(Box::new(RedisStore { pool, address, memory: self.memory.clone() }))
            }
        };
        let resource = self.table.push(OpenStore(open))?;
        self.view.open += 1;
        Ok(resource)
    }

    /// The store behind a resource. The guest cannot have made one up: an error is a trap.
    pub(crate) fn store(&self, resource: &Resource<OpenStore>) -> wasmtime::Result<OpenStore> {
        Ok(self.table.get(resource)?.clone())
    }

    pub(crate) fn close(&mut self, resource: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        self.view.open -= 1;
        Ok(())
    }
}

impl Embedded {
    /// The keys behind `after`.
    fn page(&self, after: Option<&str>) -> Result<Page, Refusal> {
        let mut keys = self.store.keys(&self.namespace, after, KEYS_MAX)?;
        let mut bytes = 0;
        let fits = keys.iter().take_while(|key| {
            bytes += key.len();
            bytes <= KEYS_BYTES_MAX
        });
        let fits = fits.count();
        let more = fits < keys.len() || keys.len() == KEYS_MAX;
        keys.truncate(fits);
        let next = keys.last().filter(|_| more).cloned();
        Ok(Page { keys, next })
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
        let mut bytes = 0;
        let get = |key: &String| {
            let value = self.store.get(&self.namespace, key)?;
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            if bytes > VALUE_BYTES_MAX {
                let reason = format!("more than {VALUE_BYTES_MAX} bytes in one answer: ask for fewer keys");
                return Err(Refusal::Other(reason));
            }
            Ok(value)
        };
        keys.iter().map(get).collect()
    }
}

impl OpenStore {
    /// The keys from `after` on, which is the `next` of the page before.
    pub(crate) async fn page(&self, after: Option<&str>) -> Result<Page, Refusal> {
        match &self.0 {
            Open::Embedded(embedded) => embedded.page(after),
            Open::Redis(redis) => Box::pin(redis.page(after)).await,
        }
    }

    /// Every key.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Refusal> {
        let Page { keys, next } = self.page(None).await?;
        if next.is_some() {
            return Err(Refusal::Other(format!(
                "the store has more than {KEYS_MAX} keys or {KEYS_BYTES_MAX} bytes of them: \
                 list them with wasi:keyvalue's cursor or as spin:key-value@3.0.0's stream"
            )));
        }
        Ok(keys)
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        match &self.0 {
            Open::Embedded(Embedded { store, namespace }) => Ok(store.get(namespace, key)?),
            Open::Redis(redis) => Box::pin(redis.get(key)).await,
        }
    }

    /// The value of each key, in their order.
    pub(crate) async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
        match &self.0 {
            Open::Embedded(embedded) => embedded.get_many(keys),
            Open::Redis(redis) => Box::pin(redis.get_many(keys)).await,
        }
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, Refusal> {
        match &self.0 {
            Open::Embedded(Embedded { store, namespace }) => Ok(store.exists(namespace, key)?),
            Open::Redis(redis) => Box::pin(redis.exists(key)).await,
        }
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Refusal> {
        self.set_many(vec![(key, value)]).await
    }

    pub(crate) async fn set_many(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), Refusal> {
        match &self.0 {
            Open::Embedded(Embedded { store, namespace }) => Ok(store.set_many(namespace, entries).await?),
            Open::Redis(redis) => Box::pin(redis.set_many(&entries)).await,
        }
    }

    pub(crate) async fn delete(&self, key: String) -> Result<(), Refusal> {
        self.delete_many(vec![key]).await
    }

    pub(crate) async fn delete_many(&self, keys: Vec<String>) -> Result<(), Refusal> {
        match &self.0 {
            Open::Embedded(Embedded { store, namespace }) => Ok(store.delete_many(namespace, keys).await?),
            Open::Redis(redis) => Box::pin(redis.delete_many(&keys)).await,
        }
    }

    /// Adds to the number at `key`; returns the sum.
    pub(crate) async fn increment(&self, key: String, delta: i64) -> Result<i64, Refusal> {
        match &self.0 {
            Open::Embedded(Embedded { store, namespace }) => {
                Ok(store.increment(namespace, key, delta).await?)
            }
            Open::Redis(redis) => Box::pin(redis.increment(&key, delta)).await,
        }
    }

    /// Sets `key` if its value has the digest `expected`; `None` means that it has none.
    pub(crate) async fn swap(
        &self,
        key: &str,
        expected: Option<Digest>,
        value: Vec<u8>,
    ) -> Result<Swap, Refusal> {
        match &self.0 {
            Open::Embedded(Embedded { store, namespace }) => {
                Ok(store.swap(namespace, key.to_owned(), expected, value).await?)
            }
            Open::Redis(redis) => Box::pin(redis.swap(key, expected.as_ref(), &value)).await,
        }
    }
}
