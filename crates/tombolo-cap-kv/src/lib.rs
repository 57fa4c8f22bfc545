//! Key-value stores for guests: `fermyon:spin/key-value@2.0.0`, `wasi:keyvalue@0.2.0-draft2` and
//! `spin:key-value@3.0.0` over one embedded store.
//!
//! A guest opens a store by label. A label its manifest does not name is `access-denied`, one that
//! nobody defined `no-such-store`. All three interfaces see the same keys.

mod spin2;
mod spin3;
mod view;
mod wasi;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tombolo_capability::{Abi, Capability, GrantError, Guest};
use tombolo_model::{AppName, Component};
use tombolo_store::{KeyValue, Namespace, StoreError};
use wasmtime::component::{HasData, Linker};

pub use view::View;
use view::{Host, Label, Stores};

/// The stores a node has. This version has one, `default`, in the embedded store.
///
/// The store's file is opened, and made, for the first component that was granted a store: an app
/// that keeps nothing leaves nothing on the disk.
pub struct Kv {
    path: PathBuf,
    store: Mutex<Option<KeyValue>>,
}

/// The label of the one store every app has.
pub const DEFAULT_LABEL: &str = "default";

impl Kv {
    /// Stores in the file `path`, apart for each app.
    pub fn new(path: PathBuf) -> Self {
        Self { path, store: Mutex::new(None) }
    }

    fn store(&self) -> Result<KeyValue, StoreError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match &*store {
            Some(open) => Ok(open.clone()),
            None => Ok(store.insert(KeyValue::open(&self.path)?).clone()),
        }
    }
}

/// What the three interfaces borrow from a guest.
struct HasKv;

impl HasData for HasKv {
    type Data<'a> = Host<'a>;
}

fn host(guest: &mut Guest) -> Host<'_> {
    let (view, table) = guest.view::<View>();
    Host { view, table }
}

impl Capability for Kv {
    type Granted = Arc<Stores>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &[
            "fermyon:spin/key-value@2.0.0",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:keyvalue/atomics@0.2.0-draft2",
            "wasi:keyvalue/batch@0.2.0-draft2",
            "spin:key-value/key-value@3.0.0",
        ];
        match abi {
            Abi::Sync => &all[..4],
            Abi::Async => all,
        }
    }

    fn link(&self, abi: Abi, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        spin2::key_value::add_to_linker::<_, HasKv>(linker, host)?;
        wasi::store::add_to_linker::<_, HasKv>(linker, host)?;
        wasi::atomics::add_to_linker::<_, HasKv>(linker, host)?;
        wasi::batch::add_to_linker::<_, HasKv>(linker, host)?;
        if abi == Abi::Async {
            spin3::key_value::add_to_linker::<_, HasKv>(linker, host)?;
        }
        Ok(())
    }

    fn grant(&self, app: &AppName, component: &Component) -> Result<Self::Granted, GrantError> {
        let refuse =
            |reason| GrantError { component: component.id.to_string(), field: "key_value_stores", reason };
        let label = |label: &String| {
            if label != DEFAULT_LABEL {
                return Err(refuse(format!("there is no store `{label}`, expected `{DEFAULT_LABEL}`")));
            }
            Ok(Label { name: label.clone(), namespace: Namespace::new(app, label) })
        };
        let labels: Vec<Label> = component.key_value_stores.iter().map(label).collect::<Result<_, _>>()?;
        if labels.is_empty() {
            return Ok(Arc::new(Stores::None));
        }
        let store = self.store().map_err(|error| refuse(chain(&error)))?;
        Ok(Arc::new(Stores::Some { store, labels }))
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
