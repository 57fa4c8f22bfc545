//! What one instance sees of its stores, and the operations all interfaces share.

use std::sync::Arc;

use tombolo_store::{KeyValue, Namespace};
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

/// A store a component was granted.
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    /// Where it is.
    pub(crate) store: KeyValue,
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
pub struct OpenStore {
    pub(crate) store: KeyValue,
    pub(crate) namespace: Namespace,
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
            tombolo_store::StoreError::TooLong { .. } | tombolo_store::StoreError::Value(_) => {
                Self::Other(error.to_string())
            }
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
        let store = OpenStore { store: granted.store.clone(), namespace: granted.namespace.clone() };
        let resource = self.table.push(store)?;
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

impl OpenStore {
    /// The keys behind `after`, and whether there are more.
    pub(crate) fn page(&self, after: Option<&str>) -> Result<(Vec<String>, bool), Refusal> {
        let mut keys = self.store.keys(&self.namespace, after, KEYS_MAX)?;
        let mut bytes = 0;
        let fits = keys.iter().take_while(|key| {
            bytes += key.len();
            bytes <= KEYS_BYTES_MAX
        });
        let fits = fits.count();
        let more = fits < keys.len() || keys.len() == KEYS_MAX;
        keys.truncate(fits);
        Ok((keys, more))
    }

    /// Every key.
    pub(crate) fn keys(&self) -> Result<Vec<String>, Refusal> {
        let (keys, more) = self.page(None)?;
        if more {
            return Err(Refusal::Other(format!(
                "the store has more than {KEYS_MAX} keys or {KEYS_BYTES_MAX} bytes of them: \
                 list them with wasi:keyvalue's cursor or as spin:key-value@3.0.0's stream"
            )));
        }
        Ok(keys)
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.store.get(&self.namespace, key)?)
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, Refusal> {
        Ok(self.store.exists(&self.namespace, key)?)
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Refusal> {
        Ok(self.store.set(&self.namespace, key, value).await?)
    }

    pub(crate) async fn delete(&self, key: String) -> Result<(), Refusal> {
        Ok(self.store.delete_many(&self.namespace, vec![key]).await?)
    }
}
