//! `fermyon:spin/key-value`, without a version, as Spin 1 had it: a store is a number, and a key that is not there an
//! error.

use wasmtime::component::Resource;

use crate::view::{Host, OpenStore, Refusal};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:spin1; world imports { import fermyon:spin/key-value; }",
        path: ["../../wit/fermyon-spin"],
        world: "tombolo:spin1/imports",
        imports: { default: async | trappable },
    });
}

pub(crate) use generated::fermyon::spin::key_value;
use key_value::Error;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TableFull => Self::StoreTableFull,
            Refusal::NoSuchStore => Self::NoSuchStore,
            Refusal::AccessDenied => Self::AccessDenied,
            Refusal::Other(reason) => Self::Io(reason),
        }
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host<'_> {
    /// The store of a number: that of a resource, which a guest may have made up.
    fn numbered(&self, number: u32) -> Result<OpenStore, Error> {
        self.store(&Resource::new_borrow(number)).map_err(|_| Error::InvalidStore)
    }
}

impl key_value::Host for Host<'_> {
    async fn open(&mut self, label: String) -> Answer<u32> {
        Ok(Host::open(self, &label).map(|store| store.rep()).map_err(Error::from))
    }

    async fn get(&mut self, store: u32, key: String) -> Answer<Vec<u8>> {
        Ok(match self.numbered(store) {
            Ok(store) => {
                store.get(&key).await.map_err(Error::from).and_then(|value| value.ok_or(Error::NoSuchKey))
            }
            Err(error) => Err(error),
        })
    }

    async fn set(&mut self, store: u32, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(match self.numbered(store) {
            Ok(store) => store.set(key, value).await.map_err(Error::from),
            Err(error) => Err(error),
        })
    }

    async fn delete(&mut self, store: u32, key: String) -> Answer<()> {
        Ok(match self.numbered(store) {
            Ok(store) => store.delete(key).await.map_err(Error::from),
            Err(error) => Err(error),
        })
    }

    async fn exists(&mut self, store: u32, key: String) -> Answer<bool> {
        Ok(match self.numbered(store) {
            Ok(store) => store.exists(&key).await.map_err(Error::from),
            Err(error) => Err(error),
        })
    }

    async fn get_keys(&mut self, store: u32) -> Answer<Vec<String>> {
        Ok(match self.numbered(store) {
            Ok(store) => store.keys().await.map_err(Error::from),
            Err(error) => Err(error),
        })
    }

    async fn close(&mut self, store: u32) -> wasmtime::Result<()> {
        // A number of no store is nothing to close.
        let _ = Host::close(self, Resource::new_own(store));
        Ok(())
    }
}
